import { describe, expect, it } from "vitest";
import { readTrace } from "../../network/read-trace.ts";

const host =
  '100 execve("/usr/bin/node", ["node", "/a/dist/host/cli.js", "serve"], 0x7ffe /* 30 vars */) = 0';
const archive = [
  "100 clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88 <unfinished ...>",
  '200 execve("/usr/bin/node", ["node", "/a/dist/archive/process.js"], 0x7ffe /* 8 vars */ <unfinished ...>',
  "100 <... clone3 resumed>)             = 200",
  "200 <... execve resumed>)             = 0",
  "200 clone3({flags=CLONE_VM|CLONE_THREAD, stack_size=0x7fff00} => {parent_tid=[201]}, 88) = 201",
];
const inet = (address: string, port = 443) =>
  `connect(19, {sa_family=AF_INET, sin_port=htons(${port}), sin_addr=inet_addr("${address}")}, 16)`;
const inet6 = (address: string) =>
  `connect(19, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "${address}", &sin6_addr), sin6_scope_id=0}, 28)`;

const findingsOf = (...lines: string[]) => readTrace([host, ...archive, ...lines].join("\n")).findings;

describe("a trace of the network", () => {
  it.each([
    `201 ${inet("10.1.2.3")} = 0`,
    `201 ${inet("10.1.2.3")} = -1 EINPROGRESS (Operation now in progress)`,
    `201 ${inet("10.1.2.3")} <unfinished ...>`,
    `201 ${inet6("2001:db8::1")} = -1 ENETUNREACH (Network is unreachable)`,
    `201 ${inet("127.0.0.53", 53)} = 0`,
    '201 sendto(9, "x", 1, 0, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("8.8.8.8")}, 16) = 1',
    '201 sendmsg(9, {msg_name={sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("8.8.8.8")}, msg_namelen=16}, 0) = 1',
    '201 connect(9, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0',
    '201 connect(9, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = 0',
    '201 sendto(9, "x", 1, 0, {sa_family=AF_PACKET, sll_protocol=htons(ETH_P_ALL)}, 20) = 1',
  ])("finds what leaves the machine or asks for a name, by thread and process: %s", (line) => {
    expect(findingsOf(line)).toMatchObject([{ role: "archive" }]);
  });

  it.each([
    `201 ${inet("127.0.0.1")} = 0`,
    `201 ${inet6("::1")} = 0`,
    `201 ${inet6("::ffff:127.0.0.1")} = 0`,
    '201 connect(9, {sa_family=AF_UNIX, sun_path="/tmp/meditron-x/socket"}, 110) = 0',
    '201 connect(9, {sa_family=AF_UNIX, sun_path="/var/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)',
    "201 sendto(9, [{nlmsg_len=20}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20",
    '201 bind(9, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0',
    '201 sendto(9, "GET / HTTP/1.1", 14, 0, NULL, 0) = 14',
  ])("takes this for local: %s", (line) => expect(findingsOf(line)).toEqual([]));

  it("tells the processes apart, and a browser's from the app's own", () => {
    const browser = [
      "100 vfork() = 300",
      '300 execve("/usr/bin/chromium", ["/usr/bin/chromium", "--headless"], 0x7ffe /* 30 vars */) = 0',
      "300 clone(child_stack=NULL, flags=CLONE_NEWPID|SIGCHLD) = 301",
      `301 ${inet("10.1.2.3")} = 0`,
    ];
    const report = readTrace([host, ...archive, ...browser, `100 ${inet("127.0.0.1")} = 0`].join("\n"));
    expect(report.findings).toMatchObject([{ role: "chromium", call: "connect" }]);
    expect(report.processes).toEqual({ host: 1, archive: 1, chromium: 1 });
    expect(report.local).toEqual({ host: 1 });
  });

  it.each([
    ["100", "host"],
    ["300", "chromium"],
  ])("takes a process that starts its own program again for what it was: %s", (parent, role) => {
    const again = [
      "100 vfork() = 300",
      '300 execve("/usr/bin/chromium", ["/usr/bin/chromium", "--headless"], 0x7ffe /* 30 vars */) = 0',
      `${parent} clone(child_stack=NULL, flags=SIGCHLD) = 400`,
      '400 execve("/proc/self/exe", ["/proc/self/exe", "--type=utility"], 0x7ffe /* 30 vars */) = 0',
      `400 ${inet("10.1.2.3")} = 0`,
    ];
    expect(readTrace([host, ...again].join("\n")).findings).toMatchObject([{ role }]);
  });
});
