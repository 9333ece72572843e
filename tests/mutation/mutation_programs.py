"""Mutants of recorded steps: frames, programs, and what is worked out anew for every step."""

from __future__ import annotations

from mutation_common import Mutant

P, F, R = "kernels/program.py", "kernels/frames.py", "scratchnet/recording.py"
BOTH = "scratchnet/replay.py"
PROGRAMS, STEPS = "tests/test_programs.py", "tests/test_recording.py"

# fmt: off
MUTANTS = [
    Mutant(P, "the guard is ignored", "rows[k, GUARDED] and not math.isfinite(watched[0])", "False", PROGRAMS, 0),
    Mutant(P, "one thread: the guard is ignored", "rows[k, GUARDED] and not math.isfinite(watched[0])", "False",
        PROGRAMS, 1),
    Mutant(P, "the last task is left", "tasks * (owner + 1) // threads", "tasks * (owner + 1) // threads - 1",
        f"{PROGRAMS} -k 'not no_thread'"),
    Mutant(P, "numbers are not renewed", "self.slot[place] = number", "self.slot[place] = self.slot[place]", PROGRAMS),
    Mutant(P, "another array passes for the same", "if not _same(before, now)", "if False",
        PROGRAMS),
    Mutant(P, "only one place of an array moves", "for slot in moved:", "for slot in moved[:1]:", PROGRAMS),
    Mutant(F, "numbers of a tuple: always the first", "put(inner, builder.extract_value(value, k))",
        "put(inner, builder.extract_value(value, 0))", PROGRAMS),
    Mutant(R, "numbers of the step before", "row = optimizer.iterations - self.noted.start",
        "row = max(0, optimizer.iterations - self.noted.start - 1)", STEPS),
    Mutant(R, "another learning rate is not seen",
        "if rate is not self.rate:", "if self.rate is None:", STEPS),
    Mutant(R, "other settings are not seen",
        "feed is self.feed and self.settings.hold()", "feed is self.feed", STEPS),
    Mutant(R, "a step of another feed is replayed", "here and feed is self.feed and", "here and", STEPS),
    Mutant(R, "steps together: always the first numbers", "row, ahead = optimizer.iterations - self.noted.start,",
        "row, ahead = 0,", STEPS),
    Mutant(P, "steps together: always the first batch",
        "slots[slot] = start + step * stride", "slots[slot] = start", STEPS),
    Mutant("scratchnet/batches.py", "steps together: one batch too many",
        "(self.n - start) // self.batch_size)", "-(-(self.n - start) // self.batch_size))", STEPS),
    Mutant(R, "dropout's stream stands still",
        "if not self.program.renew(first, launches):", "if not launches:", STEPS),
    Mutant(R, "a converted batch is recorded", "all(len(slots) for slots in recording.input_slots) and", "", STEPS),
    Mutant(R, "an array that is two inputs is recorded", " and len(every) == len(set(every))", "", STEPS),
    Mutant(BOTH, "a list that is changed in place is not seen", "copy.deepcopy(self._read())", "self._read()", STEPS),
    Mutant(BOTH, "a slot that is replaced is not seen", "*model.optimizer.slots.values(), ", "", STEPS),
    Mutant(BOTH, "statistics that are replaced are not seen", ", *(kept[name] for kept, name in self._states)", "",
        STEPS),
    Mutant("kernels/kernel_cache.py", "two processes write one file",
        'return f"{_MARK}.{os.getpid()}.{super()._data_name(number)}"', "return super()._data_name(number)",
        "tests/test_processes.py -k two_types"),
    Mutant("scratchnet/stepping.py", "recordings outlive the fit",
        "finally:\n            self._forget()", "finally:\n            pass", STEPS),
    Mutant("scratchnet/training.py", "a callback's steps are in the epoch's mean", "self.restore(epoch)", "pass",
        "tests/test_hooks.py"),
    Mutant(BOTH, "a user's layer is recorded",
        "type(part).__module__.partition(\".\")[0] == __package__ and not changed", "not changed", STEPS),
    Mutant(BOTH, "a step counts twice after its rate has changed", "vars(optimizer).update(before)", "pass", STEPS),
    Mutant("scratchnet/stepping.py", "a step that failed counts",
        "            optimizer.iterations = before\n", "", STEPS),
]
