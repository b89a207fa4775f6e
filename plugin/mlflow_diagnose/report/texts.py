"""The fixed texts of charts and pages, in one place; what is made of a run's own words and numbers is in `words`.

They are messages: what shows them, as `words.plain` does, says them in the language in use.
"""

from __future__ import annotations

from curve_analyzers.saying import say

# Charts.
SPLITS = {"train": say("training"), "val": say("validation"), "test": say("test"), "": ""}
BEST_AT = say("best at step {step}")
NAN, INFINITE = "NaN", say("infinite")
LOST_FROM = say("{name} {what} from step {step}")
LOST_AT = say("{name} {what} at step {step}")
LOST_OFTEN = say("{name} {what} at step {step} and {others}")
NEVER_FINITE = say("(never finite)")
NO_ROLE = say("no curve of this run has a known role")
SHARE_OF_RUN, STEP, POINT = say("share of the run (%)"), say("step"), say("point")
SECONDS_PER_STEP = say("Seconds per step")
LOG_SCALE = say("log scale")
BEYOND = say("goes beyond, to {value}")

# Pages. A text with braces is filled in.
MARKS = {"critical": "\u2717", "warning": "!", "healthy": "\u2713", "info": "i", "unknown": "?"}
YES, NO, UNKNOWN = say("Yes"), say("No"), say("Unknown")
TRY_FIRST = say("Try this first")
RUN = say("Run")
VITAL_SIGNS = say("Three vital signs")
CURVES = say("The curves")
CAPTION = say("Training is solid, held-out data dashed.")
CAPTION_BARS = say("The bars show where each finding was seen.")
CAPTION_BAND = say(
    "The grey band is the noise of the curve itself: what moves within it tells nothing (two standard deviations to"
    " each side)."
)
CAPTION_RISE = say("The arrow is the change that the verdict is about.")
ALT = say("Chart of {curves}.")
ALT_NONE = say("no curve")
ALT_BEST = say("Best at step {step}.")
ALT_FOUND = say("{rule}: {steps}.")
FOUND = say("What was found")
NUMBERS = say("The numbers")
WHY = say("Why it matters")
WHAT_TO_TRY = say("What to try first")
WHEN_WRONG = say("When this is wrong")
SEEN_AT = say("Seen at {steps}, with {confidence}.")
SEEN_IN = say("Curves:")
AND_OTHERS = say("and others")
FOLLOWS = say("What follows from it")
LOSS_VALUE = say("What the loss value means here")
BEHIND = say("Behind the diagnosis")
NOT_CHECKED = say("Not checked")
COULD_NOT_JUDGE = say("{rules} could not judge this run")
BECAUSE, RULES = say("Because"), say("Rules")
DISPUTE = say("If you disagree")
DISPUTE_SHORT = say("which curve was taken as what, and where the limits are")
ROLES = say("Curves and their roles")
ROLE, CURVE, POINTS = say("Role"), say("Curve"), say("Points")
WRITTEN_OVER, MERGED = say("{points} written over"), say("{points} merged")
ROLES_TOLD = say(
    "What a curve is, is read from its name. Where that is wrong, say what it is and diagnose again; the role `none`"
    " leaves a curve out:"
)
NOT_JUDGED = say("Not judged:")
AND_COUNT = say("and {count}")
THRESHOLDS = say("Thresholds of the rules that spoke")
RULE, THRESHOLD, VALUE, MEANING = say("Rule"), say("Threshold"), say("Value"), say("What it is")
THRESHOLDS_TOLD = say("To move one, put these lines in a file `mlflow-diagnose.toml`, change them, and diagnose again:")
IGNORE_TOLD = say("A rule that does not suit your training at all is left out:")
PARAMS = say("Parameters")
AS_LOGGED = say("{values} as logged")
FOOT = say(
    "mlflow-diagnose {version}. A diagnosis is a reading of the logged curves: it has not seen the code or the data."
)

# The page of many runs.
EXPERIMENT = say("Diagnosis of {runs}")
TOGETHER = say("What the runs show together")
IN_RUNS = say("Runs it rests on")
ALL_RUNS = say("The runs")
SEARCH = say("Name, id or finding")
STATUS, ANY_STATUS = say("Status"), say("any")
FOUND_RULE, ANY_RULE = say("Shows"), say("anything")
SHOWN = say("{shown} of {all} runs are shown")
VERDICT, SMALL_CURVES, BEST_STEP, LAST_VALUE = say("Verdict"), say("Curves"), say("Best step"), say("Last value")
SMALL_CAPTION = say(
    "Training is solid, held-out data dashed, each on the scale of its own run; the upright line is the best step."
)
AND_THEN = say(". {sentence}")  # behind a sentence that has no full stop yet
NOT_DRAWN = say("Curves are drawn of the first {drawn}.")
ENDS = say("{name} {first:.3g} to {last:.3g}")
NONE_LEFT = say("No run fits.")

# The terminal.
DASHED = say("{name} (dashed)")
