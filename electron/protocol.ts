import { appError } from "../core/errors.ts";
import { errorResponse, type RequestHandler } from "../host/transports/fetch.ts";

export const appScheme = "app";
export const appOrigin = "app://meditron";

/** The parts of Electron's `protocol` that are used; a test stands in for it. */
export interface SchemeRegistry {
  registerSchemesAsPrivileged(
    schemes: {
      scheme: string;
      privileges: { standard: boolean; secure: boolean; supportFetchAPI: boolean; stream: boolean };
    }[],
  ): void;
}

export interface SchemeServer {
  handle(scheme: string, handler: (request: Request) => Promise<Response>): void;
}

/** To be called before the app is ready. */
export function registerScheme(protocol: SchemeRegistry): void {
  const privileges = { standard: true, secure: true, supportFetchAPI: true, stream: true };
  protocol.registerSchemesAsPrivileged([{ scheme: appScheme, privileges }]);
}

/**
 * The first door. Electron's Request has no signal that fires: an abort in the page only cancels the body of the
 * Response, which host/transports/stream-body.ts takes as the abort of the stream.
 */
export function serveScheme(protocol: SchemeServer, handle: RequestHandler): void {
  protocol.handle(appScheme, async (request) => {
    if (!isOwnAddress(request.url)) {
      return errorResponse(appError("forbidden", "This address is not the app's own."));
    }
    // Nothing else can be loaded (guard.ts); should something ever be, it is not answered either.
    const origin = request.headers.get("origin");
    if (origin !== null && origin !== appOrigin) {
      return errorResponse(appError("forbidden", "Another page may not use the app."));
    }
    return handle(request);
  });
}

/** Only pages and procedures of the app itself, by the exact origin. */
export function isOwnAddress(address: string): boolean {
  return address === appOrigin || address.startsWith(`${appOrigin}/`);
}
