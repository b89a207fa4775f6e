"""The fixed texts of charts and pages, in one place; what is made of a run's own words and numbers is in `words`."""

from __future__ import annotations

# Charts.
SPLITS = {"train": "training", "val": "validation", "test": "test", "": ""}
BEST_AT = "best at step {step}"
NAN, INFINITE = "NaN", "infinite"
LOST_FROM = "{name} {what} from step {step}"
LOST_AT = "{name} {what} at step {step}"
LOST_OFTEN = "{name} {what} at step {step} and {others}"
NEVER_FINITE = " (never finite)"
NO_ROLE = "no curve of this run has a known role"
SHARE_OF_RUN, STEP, POINT = "share of the run (%)", "step", "point"
SECONDS_PER_STEP = "Seconds per step"
LOG_SCALE = "log scale"
BEYOND = "goes beyond, to {value}"

# Pages. A text with braces is filled in.
MARKS = {"critical": "\u2717", "warning": "!", "healthy": "\u2713", "info": "i", "unknown": "?"}
YES, NO, UNKNOWN = "Yes", "No", "Unknown"
TRY_FIRST = "Try this first"
RUN = "Run"
VITAL_SIGNS = "Three vital signs"
CURVES = "The curves"
CAPTION = "Training is solid, held-out data dashed."
CAPTION_BARS = "The bars show where each finding was seen."
CAPTION_BAND = (
    "The grey band is the noise of the curve itself: what moves within it tells nothing (two standard deviations to"
    " each side)."
)
CAPTION_RISE = "The arrow is the change that the verdict is about."
ALT = "Chart of {curves}."
ALT_NONE = "no curve"
ALT_BEST = "Best at step {step}."
ALT_FOUND = "{rule}: {steps}."
FOUND = "What was found"
NUMBERS = "The numbers"
WHY = "Why it matters"
WHAT_TO_TRY = "What to try first"
WHEN_WRONG = "When this is wrong"
SEEN_AT = "Seen at {steps}, with {confidence}."
SEEN_IN = "Curves:"
AND_OTHERS = "and others"
FOLLOWS = "What follows from it"
LOSS_VALUE = "What the loss value means here"
BEHIND = "Behind the diagnosis"
NOT_CHECKED = "Not checked"
COULD_NOT_JUDGE = "{rules} could not judge this run"
BECAUSE, RULES = "Because", "Rules"
DISPUTE = "If you disagree"
DISPUTE_SHORT = "which curve was taken as what, and where the limits are"
ROLES = "Curves and their roles"
ROLE, CURVE, POINTS = "Role", "Curve", "Points"
WRITTEN_OVER, MERGED = "{points} written over", "{points} merged"
ROLES_TOLD = (
    "What a curve is, is read from its name. Where that is wrong, say what it is and diagnose again; the role `none`"
    " leaves a curve out:"
)
NOT_JUDGED = "Not judged:"
AND_COUNT = "and {count}"
THRESHOLDS = "Thresholds of the rules that spoke"
RULE, THRESHOLD, VALUE, MEANING = "Rule", "Threshold", "Value", "What it is"
THRESHOLDS_TOLD = "To move one, put these lines in a file `mlflow-diagnose.toml`, change them, and diagnose again:"
IGNORE_TOLD = "A rule that does not suit your training at all is left out:"
PARAMS = "Parameters"
AS_LOGGED = "{values} as logged"
FOOT = "mlflow-diagnose {version}. A diagnosis is a reading of the logged curves: it has not seen the code or the data."

# The page of many runs.
EXPERIMENT = "Diagnosis of {runs}"
TOGETHER = "What the runs show together"
IN_RUNS = "Runs it rests on"
ALL_RUNS = "The runs"
SEARCH = "Name, id or finding"
STATUS, ANY_STATUS = "Status", "any"
FOUND_RULE, ANY_RULE = "Shows", "anything"
SHOWN = "{shown} of {all} runs are shown"
VERDICT, SMALL_CURVES, BEST_STEP, LAST_VALUE = "Verdict", "Curves", "Best step", "Last value"
SMALL_CAPTION = (
    "Training is solid, held-out data dashed, each on the scale of its own run; the upright line is the best step."
)
NOT_DRAWN = "Curves are drawn of the first {drawn}."
ENDS = "{} {:.3g} to {:.3g}"
NONE_LEFT = "No run fits."

# The terminal.
DASHED = "{name} (dashed)"
