#include "tests/bench/duplicates/footage.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

extern "C" {
#include <libavutil/frame.h>
}

#include "cloud/media/worker/measures.h"
#include "tests/data/footage.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::bench {
namespace {

constexpr int kVisible = 25;  // steps of 8-bit brightness

void Measure(Moment* moment) {
  const std::unique_ptr<AVFrame, void (*)(AVFrame*)> frame(
      av_frame_alloc(), [](AVFrame* one) { av_frame_free(&one); });
  frame->format = AV_PIX_FMT_GRAY8;
  frame->color_range = AVCOL_RANGE_JPEG;
  frame->width = moment->width;
  frame->height = moment->height;
  frame->data[0] = moment->luma.data();
  frame->linesize[0] = moment->width;
  const auto grid = cloud::media::GridOf(*frame, {});
  frame->data[0] = nullptr;
  if (!grid.ok()) throw std::runtime_error("a picture can't be measured");
  moment->grid = *grid;
  moment->phash = cloud::media::PerceptualHash(*grid);
}

// As FFmpeg writes portable grey maps one after another.
std::vector<Moment> ReadPictures(const std::string& command) {
  std::vector<Moment> moments;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error(command);
  Moment moment;
  int most = 0;
  while (std::fscanf(pipe, "P5 %d %d %d", &moment.width, &moment.height, &most) == 3) {
    std::fgetc(pipe);
    moment.luma.resize(static_cast<size_t>(moment.width) * static_cast<size_t>(moment.height));
    if (std::fread(moment.luma.data(), 1, moment.luma.size(), pipe) != moment.luma.size()) break;
    Measure(&moment);
    moments.push_back(moment);
  }
  ::pclose(pipe);
  if (moments.empty()) throw std::runtime_error("no pictures of: " + command);
  return moments;
}

}  // namespace

std::vector<Moment> Moments(const std::string& film, size_t first, size_t step, double rate,
                            const Changed& changed) {
  const TemporaryFolder folder;
  std::string input = Footage(film);
  std::string filter = fmt::format("select='eq(mod(n,{}),{})'", step, first);
  if (!changed.filter.empty()) filter += "," + changed.filter;
  const std::string quietly = "ffmpeg -nostdin -hide_banner -v fatal -y -threads 1";
  if (!changed.encoder.empty()) {
    const std::string packed = folder / "packed.mkv";
    const std::string command = fmt::format("{} -i '{}' -vf \"{}\" -vsync 0 -an {} '{}'", quietly,
                                            input, filter, changed.encoder, packed);
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
    input = packed;
    filter = "null";
  }
  std::vector<Moment> moments =
      ReadPictures(fmt::format("{} -i '{}' -vf \"{},format=gray\" -vsync 0 -an -f image2pipe -c:v "
                               "pgm -",
                               quietly, input, filter));
  for (size_t i = 0; i < moments.size(); ++i) {
    moments[i].seconds = static_cast<double>(first + i * step) / rate;
  }
  return moments;
}

double VisiblyChanged(const Moment& a, const Moment& b) {
  if (a.luma.size() != b.luma.size()) return 1;
  size_t changed = 0;
  for (size_t i = 0; i < a.luma.size(); ++i) {
    changed += std::abs(int{a.luma[i]} - int{b.luma[i]}) > kVisible ? 1 : 0;
  }
  return static_cast<double>(changed) / static_cast<double>(a.luma.size());
}

}  // namespace gleaner::bench
