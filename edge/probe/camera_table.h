// The [[camera]] table that a probed camera is to be watched with.
#pragma once

#include <string>

#include "edge/probe/target.h"
#include "gleaner/v1/status.pb.h"

namespace gleaner::edge {

// TOML. `probe` says what was found. Without a password in it, and without a url's path unless the
// target allows that: what is printed ends up in tickets and chats, and a path may be all the
// password there is. What is left out is marked, with "…" in its place.
std::string CameraTable(const ProbeTarget& target, const v1::CameraProbe& probe);

}  // namespace gleaner::edge
