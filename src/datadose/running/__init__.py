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
from datadose.running._opened import Named, name_model, opened
from datadose.running._plan import Estimate, plan_study
from datadose.running._results import build_report, write_results
from datadose.running._run import plan_arms, probe_names, rebuild, run_arms, run_study
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
    "Material",
    "Named",
    "RunFolder",
    "added",
    "answer_lengths",
    "audit_text",
    "build_report",
    "check_overlap",
    "choose_probes",
    "clean",
    "clean_text",
    "cleaned_rows",
    "estimate_share",
    "evaluate",
    "foresee",
    "gather",
    "lay_out",
    "load_study",
    "mixer",
    "name_model",
    "opened",
    "plan_arms",
    "plan_study",
    "probe_names",
    "rebuild",
    "recorded",
    "run_arms",
    "run_audit",
    "run_study",
    "write_results",
    "write_study_logs",
]
