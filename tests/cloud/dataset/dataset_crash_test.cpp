// A kill at each step of freezing and exporting: nothing half-named, and the next attempt ends as
// if there had been none before.
#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <set>

#include "tests/cloud/dataset/dataset_testing.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {
namespace {

struct Step {
  const char* point;
  bool done;  // what was asked for is there after the kill
};
constexpr Step kFreezeSteps[] = {
    {"dataset.chosen", false},         {"dataset.object_stored", false},
    {"dataset.pictures_named", false}, {"dataset.part_named", false},
    {"dataset.list_stored", false},
};
constexpr Step kExportSteps[] = {{"dataset.object_stored", false},
                                 {"dataset.part_named", false},
                                 {"dataset.export_stored", false}};

class DatasetCrash : public testing::Test {
 protected:
  void Ask(const std::function<void(DatasetRig&)>& ask) {
    DatasetRig rig(folder_ / "");
    rig.Fill(4, 5);
    ask(rig);
  }
  // Whether it was killed.
  bool RunChild(const std::string& what, const std::string& point) {
    const auto [status, said] =
        Shell(fmt::format("GLEANER_CRASH_AT={} {}/dataset_crash_child {} {} 2>&1", point, BinDir(),
                          folder_ / "", what));
    return status == 137 || status == 128 + 9;
  }

  TemporaryFolder folder_;
};

v1::FreezeDatasetRequest Request() {
  v1::FreezeDatasetRequest request;
  request.set_name("first");
  request.set_schema("carts");
  return request;
}

TEST_F(DatasetCrash, AtAnyStepOfFreezingLeavesNothingHalfNamed) {
  Ask([](DatasetRig& rig) {
    ASSERT_TRUE(rig.Freeze("whole").ok());
    // Other frames than those whose pictures are kept already.
    const std::string id = rig.AddClip({.device = "cart-9", .phashes = {1, 0xffff0000ffff}});
    rig.Label({id, "front", 0}, {});
    rig.Label({id, "front", 1000}, {});
  });
  for (const Step& step : kFreezeSteps) {
    const std::string name = fmt::format("d{}", &step - kFreezeSteps);
    {
      DatasetRig rig(folder_ / "");
      const std::string id =
          rig.AddClip({.device = "cart-8",
                       .sequence = static_cast<uint64_t>(&step - kFreezeSteps) + 1,
                       .phashes = {5}});
      rig.Label({id, "front", 0}, {});
      v1::FreezeDatasetRequest request = Request();
      request.set_name(name);
      ASSERT_TRUE(rig.datasets->Freeze(request, "ann", [](Sql&) { return absl::OkStatus(); }).ok());
    }
    ASSERT_TRUE(RunChild("freeze", step.point)) << step.point;
    DatasetRig rig(folder_ / "");
    EXPECT_EQ(rig.datasets->Get(name).ok(), step.done) << step.point;
    EXPECT_TRUE(rig.catalog->names.Check().ok()) << step.point << rig.catalog->names.Check();
    ASSERT_TRUE(rig.Work(kFreezeJob).ok()) << step.point;
    EXPECT_TRUE(rig.datasets->Verify(name).ok()) << step.point;
    ASSERT_TRUE(rig.Export(name, "coco").ok()) << "its pictures are all there";
  }
}

TEST_F(DatasetCrash, AtAnyStepOfExportingLeavesNothingHalfNamed) {
  Ask([](DatasetRig& rig) {
    ASSERT_TRUE(rig.Freeze("first").ok());
    ASSERT_TRUE(rig.Export("first", "coco").ok());
  });
  std::string expected;
  for (const Step& step : kExportSteps) {
    v1::ExportDatasetRequest request;
    request.set_name("first");
    request.set_format("yolo");
    {
      DatasetRig rig(folder_ / "");
      ASSERT_TRUE(rig.catalog->database()
                      .Write([](Sql& sql) {
                        ForgetExports(sql, 1);
                        return absl::OkStatus();
                      })
                      .ok());
      ASSERT_TRUE(rig.datasets->Export(request, [](Sql&) { return absl::OkStatus(); }).ok());
    }
    ASSERT_TRUE(RunChild("export", step.point)) << step.point;
    DatasetRig rig(folder_ / "");
    EXPECT_EQ(rig.datasets->ListExports("first")->exports_size(), 1) << step.point;
    ASSERT_TRUE(rig.Work(kExportJob).ok()) << step.point;
    const auto made = rig.Export("first", "yolo");
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_TRUE(rig.catalog->names.Check().ok()) << rig.catalog->names.Check();
    const std::string tar = rig.FileOf(*made, made->files(0).name());
    if (expected.empty()) expected = tar;
    EXPECT_EQ(tar, expected);
    // So that the next round has to make it again.
    ASSERT_TRUE(rig.Export("first", "coco").ok());
    ASSERT_TRUE(rig.catalog->database()
                    .Write([](Sql& sql) {
                      ForgetExports(sql, 0);
                      return absl::OkStatus();
                    })
                    .ok());
    ASSERT_TRUE(rig.Export("first", "coco").ok());
  }
}

TEST(DatasetCrashPoints, AreAllTested) {
  std::set<std::string> in_source, tested;
  for (const Step& step : kFreezeSteps) tested.insert(step.point);
  for (const Step& step : kExportSteps) tested.insert(step.point);
  const std::regex point("GLEANER_CRASH_POINT\\(\"([^\"]+)\"\\)");
  for (const auto& file : std::filesystem::directory_iterator(SourceDir() + "/cloud/dataset")) {
    if (file.path().extension() != ".cpp") continue;
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (std::sregex_iterator it(text.begin(), text.end(), point), end; it != end; ++it) {
      in_source.insert((*it)[1]);
    }
  }
  EXPECT_EQ(in_source, tested);
}

}  // namespace
}  // namespace gleaner::cloud
