import { AppError } from "../../core/errors.ts";
import type { InferenceSettings } from "../api.ts";
import { checkCudaFolder } from "./cuda-folder.ts";
import { loadFrom, ortLibraryPath, ortPackageVersion } from "./ort/library.ts";

/**
 * Makes the process load ONNX Runtime out of the folder that IT has filled, where it is named and whole and the
 * settings may want CUDA. Says what keeps CUDA from being used; null: nothing that is known. To be called before the
 * runtime is opened.
 */
export async function findCuda({ cudaFolder = null, provider }: InferenceSettings): Promise<string | null> {
  if (cudaFolder === null || (provider !== "auto" && provider !== "cuda")) return null;
  try {
    const found = await checkCudaFolder(cudaFolder, {
      version: ortPackageVersion(),
      ownLibrary: ortLibraryPath(),
    });
    if (found.status === "missing") return `Missing in the folder for CUDA: ${found.files.join(", ")}.`;
    loadFrom(found);
    return null;
  } catch (thrown) {
    return thrown instanceof AppError ? thrown.message : "The folder for CUDA cannot be read.";
  }
}
