/**
 * What a program and everything it started said to the network, read from `strace -f -e trace=network,process`.
 * A name look-up is a finding wherever it goes: a resolver on this machine asks others.
 */
export interface Finding {
  readonly role: string;
  /** What was called, and the address as strace prints it. */
  readonly call: string;
  readonly address: string;
}

export interface TraceReport {
  /** Beyond this machine, or a name look-up. */
  readonly findings: readonly Finding[];
  /** Connections inside this machine: how many by role. */
  readonly local: Readonly<Record<string, number>>;
  /** Every role that was seen, with the number of its processes. */
  readonly processes: Readonly<Record<string, number>>;
}

/** Who a process is, by what it was started as. */
const roles: readonly (readonly [RegExp, string])[] = [
  [/dist\/archive\/process\.js/, "archive"],
  [/dist\/models\/process\.js/, "inference"],
  [/dist\/host\/cli\.js/, "host"],
  [/chrom(e|ium)/i, "chromium"],
];

const calls = /^(connect|sendto|sendmsg|sendmmsg)\(/;

export function readTrace(text: string): TraceReport {
  const lines = text.split("\n").flatMap((line) => {
    const [, pid, rest] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid, rest: rest! }];
  });
  const parents = readParents(lines);
  const started = readPrograms(lines);
  const roleOf = (pid: string): string => {
    for (let one: string | undefined = pid; one !== undefined; one = parents.get(one)) {
      const role = started.get(one);
      if (role !== undefined) return role;
    }
    return "unknown";
  };

  const findings: Finding[] = [];
  const local: Record<string, number> = {};
  for (const { pid, rest } of lines) {
    const call = calls.exec(rest)?.[1];
    if (call === undefined) continue;
    for (const address of addressesOf(rest)) {
      const role = roleOf(pid);
      if (isLocal(address, rest)) local[role] = (local[role] ?? 0) + 1;
      else findings.push({ role, call, address });
    }
  }
  const processes: Record<string, number> = {};
  for (const role of started.values()) processes[role] = (processes[role] ?? 0) + 1;
  return { findings, local, processes };
}

type Line = { readonly pid: string; readonly rest: string };

/** Who made whom: threads and processes alike. The call may end in a later line than it began. */
function readParents(lines: readonly Line[]): Map<string, string> {
  const parents = new Map<string, string>();
  for (const { pid, rest } of lines) {
    const made = /^(?:<\.\.\. )?(?:clone3?|v?fork)\b.* = (\d+)$/.exec(rest)?.[1];
    if (made !== undefined) parents.set(made, pid);
  }
  return parents;
}

function readPrograms(lines: readonly Line[]): Map<string, string> {
  const started = new Map<string, string>();
  for (const { pid, rest } of lines) {
    if (!rest.startsWith("execve(") || / = -1 /.test(rest)) continue;
    const known = roles.find(([pattern]) => pattern.test(rest));
    // The program that it was forked from, once more: who it is stands with that one.
    if (known === undefined && /^execve\("\/proc\/(?:self|\d+)\/exe"/.test(rest)) continue;
    started.set(pid, known?.[1] ?? `other: ${/^execve\("[^"]*?([^"/]+)"/.exec(rest)?.[1] ?? "program"}`);
  }
  return started;
}

/** The addresses that a call names; a call on a connected socket names none. */
function addressesOf(call: string): string[] {
  return [...call.matchAll(/\{(sa_family=AF_[^}]*)\}/g)].map(([, address]) => address!);
}

function isLocal(address: string, call: string): boolean {
  const family = /^sa_family=(AF_\w+)/.exec(address)?.[1];
  if (family === "AF_UNIX") return !asksForNames(address, call);
  // The kernel itself, and the undoing of a connection.
  if (family === "AF_NETLINK" || family === "AF_UNSPEC") return true;
  if (/port=htons\(53\)/.test(address)) return false;
  if (family === "AF_INET") return /inet_addr\("127\.\d+\.\d+\.\d+"\)/.test(address);
  if (family === "AF_INET6") return /inet_pton\(AF_INET6, "(::1|::ffff:127\.\d+\.\d+\.\d+)"/.test(address);
  return false;
}

/** The sockets of the services that look up names for others; the C library tries nscd's even where there is none. */
function asksForNames(address: string, call: string): boolean {
  if (/systemd\/resolve|avahi-daemon/.test(address)) return true;
  return address.includes("nscd/socket") && !/ = -1 E/.test(call);
}
