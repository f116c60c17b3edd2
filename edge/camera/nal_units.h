// The NAL units of H.264 and H.265 access units, whichever way the container frames them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

using Bytes = std::span<const uint8_t>;

// How many bytes of length stand in front of each unit (ISO 14496-15: avcC, hvcC); 0 for start
// codes (Annex B).
inline int LengthBytes(const AVCodecParameters& parameters) {
  const uint8_t* extra = parameters.extradata;
  const int size = parameters.extradata_size;
  if (size < 7 || (extra[0] == 0 && extra[1] == 0)) return 0;
  if (parameters.codec_id == AV_CODEC_ID_H264) return extra[0] == 1 ? (extra[4] & 3) + 1 : 0;
  return size >= 23 ? (extra[21] & 3) + 1 : 0;
}

// Calls `each(unit)` for the units of `data` in order, without their framing, none of them empty.
template <typename F>
void ForEachNalUnit(Bytes data, int length_bytes, F each) {
  if (length_bytes > 0) {
    while (data.size() > static_cast<size_t>(length_bytes)) {
      size_t length = 0;
      for (int i = 0; i < length_bytes; ++i) length = length << 8 | data[i];
      data = data.subspan(length_bytes);
      length = std::min(length, data.size());
      if (length > 0) each(data.first(length));
      data = data.subspan(length);
    }
    return;
  }
  // The next start code's first byte, or the end.
  const auto code = [&data](size_t from) {
    for (size_t at = from; at + 3 <= data.size(); ++at) {
      if (data[at] == 0 && data[at + 1] == 0 && data[at + 2] == 1) return at;
    }
    return data.size();
  };
  for (size_t at = code(0); at < data.size();) {
    const size_t begin = at + 3;
    at = code(begin);
    size_t end = at;
    while (end > begin && data[end - 1] == 0) --end;
    if (end > begin) each(data.subspan(begin, end - begin));
  }
}

// Appends `unit` with its framing; four bytes of start code where that is it.
inline void AppendNalUnit(Bytes unit, int length_bytes, std::vector<uint8_t>* out) {
  if (length_bytes == 0) {
    out->insert(out->end(), {0, 0, 0, 1});
  } else {
    for (int i = length_bytes - 1; i >= 0; --i) {
      out->push_back(static_cast<uint8_t>(unit.size() >> (8 * i)));
    }
  }
  out->insert(out->end(), unit.begin(), unit.end());
}

}  // namespace gleaner::edge
