import { appError } from "../../../core/errors.ts";
import { koffi } from "./koffi.ts";
import { type Handle, loadOrtLibrary } from "./library.ts";

/** A place where native code writes one pointer. */
export type OutHandle = [Handle | null];
export type OutNumber = [number];

/** Null is success, else an OrtStatus that must be released. */
type Status = Handle | null;

/** The functions of OrtApi that the app calls, by their names in onnxruntime_c_api.h. */
export interface OrtFunctions {
  CreateStatus(code: number, message: string): Handle;
  GetErrorCode(status: Handle): number;
  GetErrorMessage(status: Handle): string;
  ReleaseStatus(status: Handle): void;

  CreateEnv(severity: number, id: string, env: OutHandle): Status;
  DisableTelemetryEvents(env: Handle): Status;

  CreateSessionOptions(options: OutHandle): Status;
  SetOptimizedModelFilePath(options: Handle, path: string): Status;
  EnableProfiling(options: Handle, prefix: string): Status;
  SetSessionLogSeverityLevel(options: Handle, level: number): Status;
  SetSessionGraphOptimizationLevel(options: Handle, level: number): Status;
  SetIntraOpNumThreads(options: Handle, threads: number): Status;
  AddSessionConfigEntry(options: Handle, key: string, value: string): Status;
  HasSessionConfigEntry(options: Handle, key: string, has: OutNumber): Status;
  SessionOptionsAppendExecutionProvider(
    options: Handle,
    provider: string,
    keys: readonly string[],
    values: readonly string[],
    count: number,
  ): Status;
  CreateCUDAProviderOptions(cuda: OutHandle): Status;
  SessionOptionsAppendExecutionProvider_CUDA_V2(options: Handle, cuda: Handle): Status;
  ReleaseCUDAProviderOptions(cuda: Handle): void;
  DisableMemPattern(options: Handle): Status;
  ReleaseSessionOptions(options: Handle): void;

  CreateSession(env: Handle, path: string, options: Handle, session: OutHandle): Status;
  CreateSessionFromArray(
    env: Handle,
    model: Uint8Array,
    bytes: number,
    options: Handle,
    session: OutHandle,
  ): Status;
  SessionGetInputCount(session: Handle, count: OutNumber): Status;
  SessionGetOutputCount(session: Handle, count: OutNumber): Status;
  SessionGetInputName(session: Handle, index: number, allocator: Handle, name: OutHandle): Status;
  SessionGetOutputName(session: Handle, index: number, allocator: Handle, name: OutHandle): Status;
  SessionGetInputTypeInfo(session: Handle, index: number, info: OutHandle): Status;
  ReleaseSession(session: Handle): void;

  CastTypeInfoToTensorInfo(info: Handle, tensor: OutHandle): Status;
  GetTensorElementType(info: Handle, type: OutNumber): Status;
  GetDimensionsCount(info: Handle, count: OutNumber): Status;
  GetDimensions(info: Handle, values: BigInt64Array, count: number): Status;
  GetTensorTypeAndShape(value: Handle, info: OutHandle): Status;
  GetTensorShapeElementCount(info: Handle, count: OutNumber): Status;
  ReleaseTensorTypeAndShapeInfo(info: Handle): void;
  ReleaseTypeInfo(info: Handle): void;

  GetAllocatorWithDefaultOptions(allocator: OutHandle): Status;
  AllocatorFree(allocator: Handle, memory: Handle): Status;
  CreateCpuMemoryInfo(allocator: number, memory: number, info: OutHandle): Status;
  CreateTensorWithDataAsOrtValue(
    info: Handle,
    data: ArrayBufferView,
    bytes: number,
    shape: BigInt64Array,
    rank: number,
    elementType: number,
    value: OutHandle,
  ): Status;
  CreateMemoryInfo(name: string, allocator: number, id: number, memory: number, info: OutHandle): Status;
  ReleaseMemoryInfo(info: Handle): void;
  CreateAllocator(session: Handle, info: Handle, allocator: OutHandle): Status;
  ReleaseAllocator(allocator: Handle): void;
  CreateTensorAsOrtValue(
    allocator: Handle,
    shape: BigInt64Array,
    rank: number,
    elementType: number,
    value: OutHandle,
  ): Status;
  ReleaseValue(value: Handle): void;

  CreateRunOptions(options: OutHandle): Status;
  RunOptionsSetRunTag(options: Handle, tag: string): Status;
  RunOptionsGetRunTag(options: Handle, tag: OutHandle): Status;
  RunOptionsSetTerminate(options: Handle): Status;
  ReleaseRunOptions(options: Handle): void;

  CreateIoBinding(session: Handle, binding: OutHandle): Status;
  BindInput(binding: Handle, name: string, value: Handle): Status;
  BindOutput(binding: Handle, name: string, value: Handle): Status;
  RunWithBinding(session: Handle, options: Handle, binding: Handle): Status;
  ReleaseIoBinding(binding: Handle): void;

  GetAvailableProviders(names: OutHandle, count: OutNumber): Status;
  ReleaseAvailableProviders(names: Handle, count: number): Status;
  GetBuildInfoString(): string;
}

type Signature = readonly [index: number, result: string, parameters: readonly string[]];
type SignatureTable = { readonly [Name in keyof OrtFunctions]: Signature };

const status = "void *";
const handle = "void *";
const text = "const char *";
const outHandle = "_Out_ void **";
const outSize = "_Out_ size_t *";
const outInt = "_Out_ int *";

/** ORTCHAR_T: UTF-16 on Windows, bytes elsewhere. */
const filePath = process.platform === "win32" ? "const char16_t *" : text;

/**
 * Positions in struct OrtApi of onnxruntime_c_api.h. The struct only ever grows at its end, so they hold for every
 * library that serves `apiVersion`; `assertFunctions` proves it at each start all the same.
 */
const signatures: SignatureTable = {
  CreateStatus: [0, status, ["int", text]],
  GetErrorCode: [1, "int", [status]],
  GetErrorMessage: [2, text, [status]],
  CreateEnv: [3, status, ["int", text, outHandle]],
  DisableTelemetryEvents: [6, status, [handle]],
  CreateSession: [7, status, [handle, filePath, handle, outHandle]],
  CreateSessionFromArray: [8, status, [handle, "void *", "size_t", handle, outHandle]],
  CreateSessionOptions: [10, status, [outHandle]],
  SetOptimizedModelFilePath: [11, status, [handle, filePath]],
  EnableProfiling: [14, status, [handle, filePath]],
  DisableMemPattern: [17, status, [handle]],
  SetSessionLogSeverityLevel: [22, status, [handle, "int"]],
  SetSessionGraphOptimizationLevel: [23, status, [handle, "int"]],
  SetIntraOpNumThreads: [24, status, [handle, "int"]],
  SessionGetInputCount: [30, status, [handle, outSize]],
  SessionGetOutputCount: [31, status, [handle, outSize]],
  SessionGetInputTypeInfo: [33, status, [handle, "size_t", outHandle]],
  SessionGetInputName: [36, status, [handle, "size_t", handle, outHandle]],
  SessionGetOutputName: [37, status, [handle, "size_t", handle, outHandle]],
  CreateRunOptions: [39, status, [outHandle]],
  RunOptionsSetRunTag: [42, status, [handle, text]],
  RunOptionsGetRunTag: [45, status, [handle, outHandle]],
  RunOptionsSetTerminate: [46, status, [handle]],
  CreateTensorAsOrtValue: [48, status, [handle, "int64_t *", "size_t", "int", outHandle]],
  CreateTensorWithDataAsOrtValue: [
    49,
    status,
    [handle, "void *", "size_t", "int64_t *", "size_t", "int", outHandle],
  ],
  CastTypeInfoToTensorInfo: [55, status, [handle, outHandle]],
  GetTensorElementType: [60, status, [handle, outInt]],
  GetDimensionsCount: [61, status, [handle, outSize]],
  GetDimensions: [62, status, [handle, "int64_t *", "size_t"]],
  GetTensorShapeElementCount: [64, status, [handle, outSize]],
  GetTensorTypeAndShape: [65, status, [handle, outHandle]],
  CreateMemoryInfo: [68, status, [text, "int", "int", "int", outHandle]],
  CreateCpuMemoryInfo: [69, status, ["int", "int", outHandle]],
  AllocatorFree: [76, status, [handle, "void *"]],
  GetAllocatorWithDefaultOptions: [78, status, [outHandle]],
  ReleaseStatus: [93, "void", [status]],
  ReleaseMemoryInfo: [94, "void", [handle]],
  ReleaseSession: [95, "void", [handle]],
  ReleaseValue: [96, "void", [handle]],
  ReleaseRunOptions: [97, "void", [handle]],
  ReleaseTypeInfo: [98, "void", [handle]],
  ReleaseTensorTypeAndShapeInfo: [99, "void", [handle]],
  ReleaseSessionOptions: [100, "void", [handle]],
  GetAvailableProviders: [125, status, [outHandle, outInt]],
  ReleaseAvailableProviders: [126, status, ["void *", "int"]],
  AddSessionConfigEntry: [130, status, [handle, text, text]],
  CreateAllocator: [131, status, [handle, handle, outHandle]],
  ReleaseAllocator: [132, "void", [handle]],
  RunWithBinding: [133, status, [handle, handle, handle]],
  CreateIoBinding: [134, status, [handle, outHandle]],
  ReleaseIoBinding: [135, "void", [handle]],
  BindInput: [136, status, [handle, text, handle]],
  BindOutput: [137, status, [handle, text, handle]],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, status, [handle, handle]],
  CreateCUDAProviderOptions: [205, status, [outHandle]],
  ReleaseCUDAProviderOptions: [208, "void", [handle]],
  SessionOptionsAppendExecutionProvider: [
    216,
    status,
    [handle, text, "const char **", "const char **", "size_t"],
  ],
  HasSessionConfigEntry: [237, status, [handle, text, outInt]],
  GetBuildInfoString: [254, text, []],
};

/** The lowest version of the table that has every function above. */
const apiVersion = 18;

export interface OrtLibrary {
  readonly version: string;
  readonly functions: OrtFunctions;
}

/** Loads the library and reads its function table. */
export function openOrtLibrary(): OrtLibrary {
  const { array, decode } = koffi();
  const [getApiAt, getVersionAt] = decode(loadOrtLibrary(), array("void *", 2)) as Handle[];
  const getVersion = nativeFunction<() => string>(getVersionAt!, [0, text, []]);
  const getApi = nativeFunction<(version: number) => Handle | null>(getApiAt!, [0, "void *", ["uint32_t"]]);
  const version = getVersion();
  const api = getApi(apiVersion);
  if (api === null) throw appError("model-failed", `The model runtime ${version} is too old for this app.`);
  const length = Math.max(...Object.values(signatures).map(([index]) => index)) + 1;
  const addresses = decode(api, array("void *", length)) as Handle[];
  const functions = Object.fromEntries(
    Object.entries(signatures).map(([name, signature]) => [
      name,
      nativeFunction(addresses[signature[0]]!, signature),
    ]),
  ) as unknown as OrtFunctions;
  return { version, functions };
}

/** The arguments of calls that run on worker threads, so that no array is collected under native code. */
const inFlight = new Set<readonly unknown[]>();

/** Runs a function on a worker thread. */
export function callAsync<Arguments extends unknown[]>(
  target: (...parameters: Arguments) => Status,
  parameters: Arguments,
): Promise<Status> {
  const { async: start } = target as unknown as {
    async: (...all: [...Arguments, (error: unknown, result: Status) => void]) => void;
  };
  inFlight.add(parameters);
  return new Promise<Status>((resolve, reject) => {
    start(...parameters, (error, result) => (error ? reject(error as Error) : resolve(result)));
  }).finally(() => inFlight.delete(parameters));
}

/** The text at a native address, UTF-8. */
export function textAt(address: Handle): string {
  return koffi().decode.string(address);
}

/** `count` texts of a `char **`. */
export function textsAt(address: Handle, count: number): string[] {
  const { array, decode } = koffi();
  return decode(address, array("const char *", count)) as string[];
}

function nativeFunction<Function>(address: Handle, signature: Signature): Function {
  const [, result, parameters] = signature;
  const { decode, proto } = koffi();
  return decode(address, proto(result, [...parameters])) as Function;
}
