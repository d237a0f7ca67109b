import { Worker } from "node:worker_threads";

/** More than any cache holds; each thread has its own. */
const bytesEach = 256 * 1024 * 1024;
const passes = 7;

/**
 * Each thread looks through its own memory for a byte that is not there (Buffer.indexOf is libc's memchr: whole vectors
 * are read and nothing is written), all at once.
 */
const program = `
const { parentPort, workerData: { bytes, passes, gate, threads } } = require("node:worker_threads");
const memory = Buffer.alloc(bytes, 1);
const gates = new Int32Array(gate);
const rates = [];
for (let pass = 0; pass < passes; pass++) {
  Atomics.add(gates, 0, 1);
  while (Atomics.load(gates, 0) < threads * (pass + 1)) Atomics.wait(gates, 1, 0, 1);
  const started = performance.now();
  if (memory.indexOf(2) !== -1) throw new Error("found");
  rates.push(bytes / (performance.now() - started) / 1e6);
}
parentPort.postMessage(rates);
`;

/** Gigabytes a second (10^9) that so many threads read from memory together: the median of seven passes. */
export async function readBandwidth(threads: number, bytes = bytesEach): Promise<number> {
  const gate = new SharedArrayBuffer(8);
  const workerData = { bytes, passes, gate, threads };
  const rates = await Promise.all(Array.from({ length: threads }, () => runWorker(workerData)));
  // The first pass finds the memory in no one's tables yet.
  const sums = rates[0]!.map((_, pass) => rates.reduce((sum, own) => sum + own[pass]!, 0)).slice(1);
  return sums.toSorted((a, b) => a - b)[sums.length >> 1]!;
}

function runWorker(workerData: object): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { eval: true, workerData });
    worker.on("message", resolve);
    worker.on("error", reject);
  });
}
