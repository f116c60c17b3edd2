// The servers that bench_ingest compares, each in a process of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/bench/ingest/process.h"

namespace gleaner::bench {

struct ServeOptions {
  // "ingest": the catalog is a file of `folder`, and so are the objects. "ingest_s3": they are in
  // `database` and `bucket`. "discard": nothing is kept.
  std::string kind;
  std::string folder;
  std::string database;                // a libpq URI
  std::string s3_endpoint, s3_bucket;  // with the key of tests/data/radosgw.h
};

// In the child: serves until its standard input ends. Prints its port first. Returns an exit
// status.
int Serve(const ServeOptions& options);

// nginx with its WebDAV module; writes under `folder`/www. `port` gets its port. Throws
// std::runtime_error if there is no nginx with that module.
std::unique_ptr<Process> StartNginx(const std::string& folder, int* port);

}  // namespace gleaner::bench
