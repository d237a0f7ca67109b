export const loopbackOnly: readonly string[];
export function windowOptions(window: {
  readonly url: string;
  readonly profile: string;
  readonly asRoot: boolean;
}): string[];
