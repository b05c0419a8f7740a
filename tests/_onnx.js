// What ONNX Runtime for JavaScript says of rows: node _onnx.js PACKAGE MODEL ROWS TYPE COLUMNS, outputs as JSON.
const [name, model, rows, type, columns] = process.argv.slice(2);
const ort = require(name);
const fs = require("fs");
if (name === "onnxruntime-web") ort.env.wasm.numThreads = 1;
(async () => {
  const session = await ort.InferenceSession.create(fs.readFileSync(model));
  const raw = fs.readFileSync(rows);
  const bytes = raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.length);
  const values = type === "float32" ? new Float32Array(bytes) : new Float64Array(bytes);
  const found = await session.run({ X: new ort.Tensor(type, values, [values.length / columns, Number(columns)]) });
  const said = {};
  for (const one of Object.keys(found)) said[one] = Array.from(found[one].data, (v) => (typeof v === "bigint" ? Number(v) : v));
  console.log(JSON.stringify(said));
})();
