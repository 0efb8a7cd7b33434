"""Reading tasks: their specs, their clues, and that a reader who knows the rules answers right."""
from __future__ import annotations

import numpy as np
import pytest

from infonodes.environments import reading
from infonodes.environments.reading.find_in_image import MARKS
from infonodes.environments.reading.hear_tone import HUMS, PITCHES


@pytest.mark.parametrize("name", reading.NAMES)
def test_episodes_fit_the_specs_and_repeat_with_the_seed(name):
    """One row and several; the same seed draws the same."""
    one, again = reading.load(name, seed=3), reading.load(name, seed=3)
    for _ in range(2):
        step, same = one.reset(), again.reset()
        for t in range(one.ticks):
            for key, spec in one.observation_spec().items():
                assert spec.check_array(np.asarray(step.observation[key])), key
                np.testing.assert_array_equal(step.observation[key], same.observation[key])
            answer = np.array(1 + one.puzzles[0].answer, np.int32)
            step, same = one.step(answer), again.step(answer)
            assert step.reward == 1.0 and step.is_last() == (t == one.ticks - 1)
    rows = reading.load(name, rows=3, seed=0)
    step = rows.reset()
    assert rows.batched and step.observation["data"].shape[0] == 3
    answers = np.array([0, 1 + rows.puzzles[1].answer, 1 + (rows.puzzles[2].answer + 1) % rows.answers], np.int32)
    assert rows.step(answers).reward.tolist() == [0.0, 1.0, -1.0]


@pytest.mark.parametrize("name", reading.NAMES)
def test_answers_are_balanced_and_apart_from_questions(name):
    """No answer can be told from the question alone: 400 puzzles, each cell near its share."""
    task, rng = reading.load(name), np.random.default_rng(0)
    counts = np.zeros([task.questions, task.answers])
    for _ in range(400):
        puzzle = task.draw(rng)
        counts[puzzle.question, puzzle.answer] += 1
    expected = 400 / counts.size
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_text_leads_to_its_answer():
    """Letters rise from chapter to chapter; within one, arrows point to its digit, the answer."""
    task, rng = reading.ReadText(), np.random.default_rng(1)
    before, after, digits = task.questions, task.questions + 1, task.questions + 2
    for _ in range(100):
        puzzle = task.draw(rng)
        text, at = puzzle.data, int(puzzle.place[0])
        assert text[at] - digits == puzzle.answer
        assert np.sum(text >= digits) == task.questions
        letters = np.flatnonzero(text < task.questions)
        assert np.all(np.diff(text[letters]) >= 0)
        own = letters[text[letters] == puzzle.question]
        assert not np.any((letters > own.min()) & (letters < own.max()) & (text[letters] != puzzle.question))
        left, right = text[own.min() : at], text[at + 1 : own.max()]
        assert before not in left and after not in right
    written = task.write_out(puzzle.data)
    assert len(written) == len(text) and sum(c.isdigit() for c in written) == task.questions


def test_image_slopes_lead_to_the_lamp_asked_for():
    """Away from the marks the channel's brighter side is nearer to its lamp; the mark is the answer's."""
    task, rng = reading.FindInImage(noise=0.0), np.random.default_rng(2)
    for _ in range(20):
        puzzle = task.draw(rng)
        channel = puzzle.data[..., puzzle.question].astype(float)
        y, x = map(int, puzzle.place)
        mark = channel[y - 3 : y + 4, x - 3 : x + 4] / 255.0
        np.testing.assert_allclose(mark, MARKS[puzzle.answer])
        along = np.arange(48)
        far_y, far_x = np.abs(along - y) > 3, np.abs(along - x) > 3
        assert np.all(np.diff(channel[: y - 3, x]) >= 0) and np.all(np.diff(channel[y + 4 :, x]) <= 0)
        assert np.all(np.diff(channel[y, : x - 3]) >= 0) and np.all(np.diff(channel[y, x + 4 :]) <= 0)
        assert channel[far_y][:, far_x].max() < 255 * 0.8


def test_sound_is_panned_towards_its_tone():
    """Left and right loudness of the hum asked for tell the way; at the tone its pitch is loudest."""
    task, rng = reading.HearTone(), np.random.default_rng(3)
    for _ in range(20):
        puzzle = task.draw(rng)
        middle = int(puzzle.place[0])

        def loud(at, cycles, data=puzzle.data):
            piece = data[at - 48 : at + 48]
            return np.abs(np.fft.rfft(piece * np.hanning(96)[:, None], axis=0))[cycles]

        for at in (middle - 400, middle + 400):
            if 48 <= at <= 2000:
                left, right = loud(at, HUMS[puzzle.question])
                assert (left > right) == (at > middle)
        assert int(np.argmax([loud(middle, p).sum() for p in PITCHES])) == puzzle.answer


def test_optimal_return_counts_the_way():
    task = reading.ReadText(rows=1, ticks=10, seed=0)
    task.reset()
    (puzzle,) = task.puzzles
    far = np.add(puzzle.place, 21.0)
    assert task.optimal_return(puzzle.place, 8.0, 4.0) == 10
    assert task.optimal_return(far, 8.0, 4.0) == 7  # 17 places at 8 a tick
    assert task.optimal_return(far, 0.1, 4.0) == 0


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: reading.load("read_sky"), "read_text"),
        (lambda: reading.ReadText(ticks=0), "ticks=0"),
        (lambda: reading.ReadText(rows=-1), "rows=-1"),
        (lambda: reading.ReadText(length=20), "length=20"),
        (lambda: reading.ReadText(answers=1), "answers=1"),
        (lambda: reading.ReadText(arrows=1.0), "arrows"),
        (lambda: reading.FindInImage(size=12), "size=12"),
        (lambda: reading.HearTone(period=40), "period=40"),
    ],
)
def test_bad_sizes_are_named(build, told):
    with pytest.raises(ValueError, match=told):
        build()
