"""The command lines of `scanwise eval` and `scanwise calibrate`."""

from __future__ import annotations

import typer

from scanwise.cli.evaluation_options import (
    EvalPlotOption,
    EvalThresholdOption,
    HourOption,
    LevelOption,
    LowWindowOption,
    MegapixelOption,
    ModelOutputOption,
    OverlapOption,
    PrecisionOption,
    ScanStepOption,
    TemperatureOption,
    ToleranceOption,
)
from scanwise.cli.options import (
    BackendName,
    BackendOption,
    ColumnOption,
    DataArgument,
    EncodingOption,
    FolderOption,
    JsonOption,
    LabelKindOption,
    ModelArgument,
    OnErrorName,
    OnErrorOption,
    UnlabelledOption,
)

__all__ = ["calibrate", "evaluate"]


def evaluate(
    model: ModelArgument,
    data: DataArgument,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    unlabelled: UnlabelledOption = False,
    threshold: EvalThresholdOption = None,
    tolerance: ToleranceOption = None,
    overlap: OverlapOption = None,
    step: ScanStepOption = None,
    low: LowWindowOption = None,
    on_error: OnErrorOption = OnErrorName.fatal,
    plot: EvalPlotOption = None,
    backend: BackendOption = BackendName.native,
    json: JsonOption = False,
) -> None:
    """Test a model on labelled data: accuracy, precision, recall, average precision and ROC area of every label.

    Where labels have places, whole files are scanned too: hits, false alarms per hour or megapixel, and the trade-off
    between both at all thresholds. Ranges are 95 % intervals by bootstrap over files.
    """
    from scanwise.cli.evaluation import EvalRequest, run_eval
    from scanwise.cli.labels import LabelOptions

    kind = None if labels is None else labels.value
    options = LabelOptions(kind, folder, label_column, encoding, unlabelled=unlabelled)
    run_eval(
        EvalRequest(
            model=model,
            data=data,
            options=options,
            threshold=threshold,
            tolerance=tolerance,
            overlap=overlap,
            step=step,
            low=low,
            on_error=on_error.value,
            plot=plot,
            backend=backend.value,
            as_json=json,
        )
    )


def calibrate(
    model: ModelArgument,
    data: DataArgument,
    false_alarms_per_hour: HourOption = None,
    false_alarms_per_megapixel: MegapixelOption = None,
    precision: PrecisionOption = None,
    output: ModelOutputOption = None,
    labels: LabelKindOption = None,
    folder: FolderOption = None,
    label_column: ColumnOption = None,
    encoding: EncodingOption = None,
    unlabelled: UnlabelledOption = False,
    tolerance: ToleranceOption = None,
    overlap: OverlapOption = None,
    step: ScanStepOption = None,
    low: LowWindowOption = None,
    level: LevelOption = 0.95,
    temperature: TemperatureOption = False,
    on_error: OnErrorOption = OnErrorName.fatal,
    backend: BackendOption = BackendName.native,
    json: JsonOption = False,
) -> None:
    """Set a threshold for every label that keeps a promise, and store it in the model, where 'scan' finds it.

    DATA should be like what will be scanned, and nothing that the model was trained on. Files that are only said to
    contain a label somewhere count no false alarms of it. A label that the data is too little for keeps 0.5, and the
    exit code is 1; if that is so for all, nothing is written.
    """
    from scanwise.cli.calibration import CalibrateRequest, run_calibrate
    from scanwise.cli.labels import LabelOptions

    kind = None if labels is None else labels.value
    options = LabelOptions(kind, folder, label_column, encoding, unlabelled=unlabelled)
    request = CalibrateRequest(
        model=model,
        data=data,
        options=options,
        false_alarms_per_hour=false_alarms_per_hour,
        false_alarms_per_megapixel=false_alarms_per_megapixel,
        precision=precision,
        output=output,
        tolerance=tolerance,
        overlap=overlap,
        step=step,
        low=low,
        level=level,
        temperature=temperature,
        on_error=on_error.value,
        backend=backend.value,
        as_json=json,
    )
    raise typer.Exit(run_calibrate(request))
