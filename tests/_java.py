"""A process of its own with Java: PMML of exported files by JPMML's converters, and what JPMML's evaluator says.

python _java.py convert FILE...     writes FILE.pmml for each, or prints "refused FILE: why"
python _java.py evaluate FILE...    reads FILE.pmml and FILE.rows, writes FILE.said: JSON, a list for each output
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def convert(files: list[str]) -> None:
    import jpype
    import jpype.imports
    import sklearn2pmml

    jars = Path(sklearn2pmml.__file__).parent / "resources"
    jpype.startJVM(classpath=[str(one) for one in jars.glob("*.jar")])
    from java.io import FileInputStream, FileOutputStream
    from java.lang import Exception as JavaException
    from java.util import LinkedHashMap
    from org.jpmml.lightgbm import LightGBMUtil
    from org.jpmml.model.metro import MetroJAXBSerializer
    from org.jpmml.xgboost import Learner

    for file in files:
        source = FileInputStream(file)
        try:
            if file.endswith(".json"):
                learner = Learner()
                learner.loadJSON(source, "UTF-8", "$")
                pmml = learner.encodePMML(LinkedHashMap(), "y", None, learner.encodeFeatureMap())
            else:
                pmml = LightGBMUtil.loadGBDT(source).encodePMML(LinkedHashMap(), "y", None)
            MetroJAXBSerializer().serializePretty(pmml, FileOutputStream(f"{file}.pmml"))
        except JavaException as error:
            print(f"refused {Path(file).name}: {error}")


def evaluate(files: list[str]) -> None:
    import pandas as pd
    from jpmml_evaluator import make_evaluator

    for file in files:
        rows = pd.read_pickle(f"{file}.rows")
        found = make_evaluator(f"{file}.pmml").verify().evaluateAll(rows, nan_as_missing=True)
        said = {str(name): [float(one) for one in values] for name, values in found.items()}
        Path(f"{file}.said").write_text(json.dumps(said))


if __name__ == "__main__":
    {"convert": convert, "evaluate": evaluate}[sys.argv[1]](sys.argv[2:])
