"""Organs that keep, carry and convert energy; what became of it; and how it feels.

| node | what it does |
| --- | --- |
| `Organ` | lives on energy, and spends what it is asked to |
| `EnergyStorage` | keeps energy around a set point |
| `EnergyTransport` | carries energy, with losses |
| `EnergyConversion` | turns components into others |
| `DriveSensor` | turns the drives of storages into a reward |
"""
from infonodes.info_nodes.organs.energetics.accounts import Ledger, ledger
from infonodes.info_nodes.organs.energetics.body import BodySettings, bill_body, body_nodes
from infonodes.info_nodes.organs.energetics.conversion import EnergyConversion
from infonodes.info_nodes.organs.energetics.drive import DriveSensor
from infonodes.info_nodes.organs.energetics.storage import EnergyStorage
from infonodes.info_nodes.organs.energetics.transport import EnergyTransport
from infonodes.info_nodes.organs.organ import Organ
from infonodes.info_nodes.organs.organ_settings import OrganSettings

__all__ = [
    "BodySettings",
    "DriveSensor",
    "EnergyConversion",
    "EnergyStorage",
    "EnergyTransport",
    "Ledger",
    "Organ",
    "OrganSettings",
    "bill_body",
    "body_nodes",
    "ledger",
]
