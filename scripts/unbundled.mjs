// The packages that stay in node_modules: they carry native libraries or WebAssembly, which they open by path. All
// others are bundled into dist/. electron-builder.yml names the same ones; a test compares the two.
export const unbundled = ["libsql", "koffi", "onnxruntime-node", "onnxruntime-common", "dcmjs-codecs"];

/** Whether a bundle leaves this import to Node: its own modules, Electron, and the packages above. */
export function staysOutside(id) {
  const names = ["electron", ...unbundled];
  return id.startsWith("node:") || names.some((name) => id === name || id.startsWith(`${name}/`));
}
