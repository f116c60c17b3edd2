// Why no connection to a server comes about, which the HTTP library has one word for.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"

namespace gleaner::cli {

// "http://[::1]:8080" → "::1", "8080"; without a port the scheme's.
std::pair<std::string, std::string> HostAndPort(const std::string& url);

// Whose server it is, which decides what to advise: a Gleaner server, which --server names, or the
// web server of a repository of releases.
enum class ServerOf { kGleaner, kReleases };

// Tries once more to connect to the host of `url` ("http://host:port") by itself, for at most
// `timeout_s`, and says what stands in the way: the name isn't known, nobody listens, no way leads
// there, no answer. UNAVAILABLE, or DEADLINE_EXCEEDED for the last.
absl::Status WhyUnreachable(const std::string& url, int timeout_s,
                            ServerOf server = ServerOf::kGleaner);

// The sentence for the last.
absl::Status NoAnswerWithin(const std::string& url, int timeout_s);

}  // namespace gleaner::cli
