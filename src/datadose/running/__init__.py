"""Run studies: the run folder, resume, events."""

from datadose.running._adaptive import added, recorded
from datadose.running._audit import Audit, AuditSettings, run_audit
from datadose.running._audit_files import audit_text
from datadose.running._audit_share import estimate_share
from datadose.running._clean import clean
from datadose.running._clean_files import clean_text, cleaned_rows
from datadose.running._clean_settings import Cleaned, CleanSettings
from datadose.running._design import Cell, Design, check_overlap, lay_out
from datadose.running._evaluate import evaluate
from datadose.running._folder import RunFolder
from datadose.running._foresee import foresee
from datadose.running._gather import Material, answer_lengths, choose_probes, gather, mixer
from datadose.running._named_sets import arm_of_set, run_sets
from datadose.running._opened import Named, name_model, opened
from datadose.running._plan import Estimate, plan_study
from datadose.running._proof import Proof, ProofSettings, prove, prove_cleaning
from datadose.running._proof_files import proof_text
from datadose.running._prove import (
    Gap,
    Moved,
    Questions,
    Rate,
    choose_questions,
    compare,
    make_sets,
    moves,
    rates,
    won_back,
)
from datadose.running._results import build_report, write_results
from datadose.running._run import plan_arms, probe_names, rebuild, run_arms, run_study
from datadose.running._share_after import drawn_labels, share_after
from datadose.running._study import load_study
from datadose.running._study_logs import write_study_logs

__all__ = [
    "Audit",
    "AuditSettings",
    "Cell",
    "CleanSettings",
    "Cleaned",
    "Design",
    "Estimate",
    "Gap",
    "Material",
    "Moved",
    "Named",
    "Proof",
    "ProofSettings",
    "Questions",
    "Rate",
    "RunFolder",
    "added",
    "answer_lengths",
    "arm_of_set",
    "audit_text",
    "build_report",
    "check_overlap",
    "choose_probes",
    "choose_questions",
    "clean",
    "clean_text",
    "cleaned_rows",
    "compare",
    "drawn_labels",
    "estimate_share",
    "evaluate",
    "foresee",
    "gather",
    "lay_out",
    "load_study",
    "make_sets",
    "mixer",
    "moves",
    "name_model",
    "opened",
    "plan_arms",
    "plan_study",
    "probe_names",
    "proof_text",
    "prove",
    "prove_cleaning",
    "rates",
    "rebuild",
    "recorded",
    "run_arms",
    "run_audit",
    "run_sets",
    "run_study",
    "share_after",
    "won_back",
    "write_results",
    "write_study_logs",
]
