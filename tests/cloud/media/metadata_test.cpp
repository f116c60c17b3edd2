// Files as other tools write them, with every kind of legal metadata: none may kill the worker.
// What isn't a clip is refused with a sentence.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "clip_file.h"
#include "cloud/media/worker_process.h"
#include "common/clock.h"
#include "common/file.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/film.h"
#include "tests/data/paths.h"
#include "tests/data/seed.h"

namespace gleaner::cloud::media {
namespace {

using testing::HasSubstr;

const std::string kWorker = BinDir() + "/gleaner-media";

struct Metadata {
  const char* name;
  const char* arguments;  // of ffmpeg, for the output
  bool refused = false;
};

const Metadata kMetadata[] = {
    {"creation_time", "-metadata creation_time=2026-11-22T08:00:00Z"},
    {"creation_time_of_the_track", "-metadata:s:v creation_time=2026-11-22T08:00:00.5Z"},
    {"creation_time_before_1970", "-metadata creation_time=1904-01-02T00:00:00Z"},
    {"creation_time_far_ahead", "-metadata creation_time=2105-01-01T00:00:00Z"},
    {"creation_time_without_zone", "-metadata creation_time='2026-11-22 08:00:00'"},
    {"date", "-metadata date=2026 -metadata year=2026"},
    {"rotation", "-metadata:s:v rotate=90"},
    {"edit_list", "-use_editlist 1 -output_ts_offset 1.5"},
    {"no_edit_list", "-use_editlist 0"},
    {"language", "-metadata:s:v language=deu"},
    {"language_unknown", "-metadata:s:v language=und"},
    {"itunes_tags",
     "-metadata title=T -metadata artist=A -metadata album=B -metadata comment=C -metadata genre=G "
     "-metadata copyright=D -metadata track=1/2 -metadata compilation=1 -metadata hd_video=1"},
    {"udta_3gp", "-metadata location=+52.5-013.4/ -metadata description=D -f mp4"},
    {"any_key", "-movflags +use_metadata_tags -metadata gleaner.device=cart-1"},
    {"handler_name", "-metadata:s:v handler_name='A camera'"},
    {"not_fragmented", "-movflags -frag_keyframe-empty_moov-default_base_moof"},
    {"faststart", "-movflags -frag_keyframe-empty_moov-default_base_moof+faststart"},
    {"dash", "-movflags +dash+cmaf"},
    {"global_index", "-movflags +global_sidx"},
    {"colours", "-color_primaries bt709 -color_trc bt709 -colorspace bt709 -movflags +write_colr"},
    {"aspect", "-aspect 4:3"},
    {"disposition", "-disposition:v default+forced"},
    {"empty_movie_time", "-movflags +skip_trailer"},
    {"time_of_producer", "-write_prft wallclock"},
    {"timecode", "-timecode 01:02:03:04 -write_tmcd 1", true},
};

class MetadataRig : public testing::Test {
 protected:
  WorkerAnswer Check(const std::string& path, const v1::VideoTrack& track) {
    const auto video = OpenFile(path, O_RDONLY);
    EXPECT_TRUE(video.ok()) << video.status();
    auto answer = RunWorker(kWorker, video->get(), {.track = track, .thumbnails = 2},
                            20 * kNanosPerSecond, {});
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : WorkerAnswer();
  }

  static void ExpectAlive(const WorkerAnswer& answer) {
    EXPECT_NE(answer.verdict.reason(), v1::MediaCheck::REASON_WORKER_DIED)
        << answer.verdict.problem();
  }

  TemporaryFolder folder_;
};

class MetadataTest : public MetadataRig, public testing::WithParamInterface<Metadata> {};

INSTANTIATE_TEST_SUITE_P(Legal, MetadataTest, testing::ValuesIn(kMetadata),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(MetadataTest, IsTakenOrRefusedWithASentence) {
  const std::string plain = folder_ / "plain.mp4";
  MakeFilm({.seconds = 1, .encoder = "-c:v libx264 -preset ultrafast -bf 2"}, plain);
  const std::string path = folder_ / "with.mp4";
  RunFfmpeg(
      fmt::format("-i '{}' -c copy {} {} '{}'", plain, kFragmented, GetParam().arguments, path));
  v1::VideoTrack track = TrackOf(path);
  if (GetParam().name == std::string("rotation")) track.set_rotation_degrees(270);
  const WorkerAnswer answer = Check(path, track);
  ExpectAlive(answer);
  if (GetParam().refused) {
    EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_MISMATCH);
    EXPECT_THAT(answer.verdict.problem(), HasSubstr("one video track belongs"));
  } else {
    EXPECT_EQ(answer.verdict.state(), v1::MediaCheck::STATE_OK) << answer.verdict.problem();
  }

  // The same, with bits of its header turned over: anything but a dead worker.
  std::ifstream in(path, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  const uint64_t seed = Seed(1);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 3; ++i) {
      bytes[random() % std::min<size_t>(bytes.size(), 1500)] ^=
          static_cast<char>(1 << random() % 8);
    }
    const std::string mutant = folder_ / "mutant.mp4";
    std::ofstream(mutant, std::ios::binary) << bytes;
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    ExpectAlive(Check(mutant, track));
  }
}

TEST_F(MetadataRig, ChaptersAndASecondTrackAreRefusedWithASentence) {
  const std::string plain = folder_ / "plain.mp4";
  MakeFilm({.seconds = 1, .encoder = "-c:v libx264 -preset ultrafast"}, plain);
  std::ofstream(folder_ / "chapters.txt")
      << ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
         "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=two\n";
  const std::string chapters = folder_ / "chapters.mp4";
  RunFfmpeg(fmt::format("-i '{}' -i '{}' -map_metadata 1 -c copy '{}'", plain,
                        folder_ / "chapters.txt", chapters));
  const std::string sound = folder_ / "sound.mp4";
  RunFfmpeg(fmt::format("-i '{}' -f lavfi -i sine=d=1 -c:v copy -c:a aac '{}'", plain, sound));
  for (const std::string& path : {chapters, sound}) {
    const WorkerAnswer answer = Check(path, TrackOf(plain));
    EXPECT_EQ(answer.verdict.reason(), v1::MediaCheck::REASON_MISMATCH) << answer.verdict.problem();
    EXPECT_THAT(answer.verdict.problem(), HasSubstr("2 streams"));
  }
}

}  // namespace
}  // namespace gleaner::cloud::media
