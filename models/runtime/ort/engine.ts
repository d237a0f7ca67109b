import type { Engine } from "../engine.ts";
import { Session } from "./session.ts";
import { Tensor } from "./tensor.ts";

/** ONNX Runtime through its C interface: runs on worker threads of its own, stopped between two nodes of a graph. */
export const cApi: Engine = {
  chunk: 256,
  open: (source, options) => Session.open(source, options),
  tensor: (data, shape) => new Tensor(data, shape),
};
