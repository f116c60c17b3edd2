// The three servers that bench_ingest compares, each in a process of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/ingest/process.h"

namespace gleaner::bench {

// In the child: serves until its standard input ends. Prints its port first. `kind` is "ingest"
// (catalogue and blobs in `folder`) or "discard". Returns an exit status.
int Serve(const std::string& kind, const std::string& folder);

// nginx with its WebDAV module; writes under `folder`/www. `port` gets its port. Throws
// std::runtime_error if there is no nginx with that module.
std::unique_ptr<Process> StartNginx(const std::string& folder, int* port);

}  // namespace gleaner::bench
