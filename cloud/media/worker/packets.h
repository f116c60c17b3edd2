// A video's packets as they are, for exports: nothing is decoded. H.264 and H.265 come out in
// Annex B, with parameter sets before each IDR picture.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "cloud/media/worker/video_file.h"
#include "cloud/media/worker_protocol.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// Reads kVideoFd as CheckVideo does. False from `write` ends it. Why there are none, or no more.
std::optional<Fault> ReadPackets(
    const v1::VideoTrack& track,
    const std::function<bool(const PacketHead& head, std::string_view bytes)>& write);

}  // namespace gleaner::cloud::media
