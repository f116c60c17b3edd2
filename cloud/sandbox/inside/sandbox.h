// Takes everything from this process that computing does not need. From then on a decoder that is
// taken over can compute, read its input, and write to its answer: nothing else.
//
//  0. what the C library would read from files later on it reads now: the time zone is UTC
//  1. limits: CPU time, heap and address space, no new descriptors, no bytes to files, no
//  processes, no core
//  2. root becomes nobody; namespaces of its own for users, network, IPC and mounts, where the
//  system allows that
//  3. it dies with its parent, can't be traced, can never gain privileges
//  4. seccomp: an allow-list of system calls, those with a descriptor bound to the right one;
//  memory can't become executable. Anything else ends the process
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace gleaner::cloud::sandbox {

struct SandboxLimits {
  uint32_t cpu_seconds = 10;
  uint64_t heap_bytes = uint64_t{768} << 20;
};

// Call with one thread, before any byte of the input is read. An error means that the process must
// not go on. Step 2's namespaces alone may be refused by a container's policy.
absl::Status EnterSandbox(const SandboxLimits& limits);

// Tries, each in a child of its own inside the sandbox: using too much memory and time, opening a
// file, a socket, a process, a program, executable memory, writing to a foreign descriptor. Prints
// a line each; true if all of them were stopped and plain work was not.
bool TestSandbox();

// A piece of the answer (../descriptors.h); false where nobody reads it any more.
bool WritePiece(uint32_t kind, std::string_view payload);

}  // namespace gleaner::cloud::sandbox
