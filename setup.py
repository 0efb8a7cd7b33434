"""Packaging. `core/` holds the import package, as `src/` would."""
from setuptools import find_packages, setup

# TF-Agents 0.19 pins typing-extensions, gym and pygame; Reverb 0.14 is built for TF 2.15.
# Newer releases of the others move numpy to 2.x or typing-extensions to 4.16 and break it.
TF_FAMILY = [
    "tensorflow==2.15.1",
    "tf-agents==0.19.0",
    "dm-reverb==0.14.0",
    "tensorflow-probability==0.23.0",
    "keras==2.15.0",
    "numpy==1.26.4",
    "protobuf==4.25.9",
    "typing-extensions==4.5.0",
    "gym==0.23.0",
    "pygame==2.1.3",
    "wrapt==1.14.2",
    "ml-dtypes==0.3.2",
    "tensorboard==2.15.2",
]
PLOTS = ["matplotlib>=3.7,<4", "scipy>=1.11,<2"]
# 1.0 is the first that starts a row's next episode at the step after its last, in all releases the same way.
GYMNASIUM = ["gymnasium>=1.0,<2"]
GRAPHS = ["networkx>=3.1,<4"]  # 3.2.1 is the last for Python 3.9; DiGraph is the same in all of them
DEV = [
    "pytest>=8,<10",
    "pytest-xdist>=3.6,<4",
    "hypothesis>=6.100,<7",
    "mock>=5,<6",  # TF-Agents' own tests import it
    "lxml>=5.2,<7",  # the test of reports parses HTML by it
    "dm-env>=1.6,<2",  # the worlds that benchmarks share among agents
    "mypy==1.10.1",  # later ones want a newer typing-extensions
    "ruff==0.17.5",
]

setup(
    name="infonodes",
    version="0.1.0",
    description="TF-Agents agents made of a graph of small predictive nodes",
    package_dir={"": "core"},
    packages=find_packages("core"),
    python_requires=">=3.9,<3.12",
    install_requires=[*TF_FAMILY, "absl-py>=2,<3", "dm-tree>=0.1.8,<0.2", "gin-config>=0.5,<0.6",
                      "matplotlib>=3.7,<4", "tqdm>=4.60,<5"],
    extras_require={
        "plots": PLOTS,
        "box2d": ["Box2D==2.3.10"],
        "atari": ["ale-py==0.12.1", "opencv-python-headless==4.11.0.86"],
        "dm": ["dm-control==1.0.50", "mujoco==3.17.0"],  # mujoco 4 breaks dm_control 1.0.50
        # bsuite imports scikit-image, and plotnine for its scores; later ones want a newer pandas or numpy.
        "bsuite": ["bsuite==0.3.6", "scikit-image<0.26", "plotnine<0.15", "pandas<3"],
        "minatar": ["MinAtar==1.0.15"],
        "graphs": GRAPHS,
        "gymnasium": GYMNASIUM,
        "peers": ["neat-python==2.0.0"],  # what experiments compare with; the package never imports it
        "docs": ["sphinx>=7.4,<9"],
        "dev": [*DEV, *PLOTS, *GRAPHS, *GYMNASIUM],
    },
)
