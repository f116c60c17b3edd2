// Datasets over real HTTP: GET /datasets/… and /signed/datasets/…, with frames that the real worker
// made.
#include "cloud/dataset/dataset_files.h"

#include <gmock/gmock.h>

#include "cloud/dataset/signed_url.h"
#include "tests/cloud/dataset/served_testing.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class DatasetFilesTest : public ServedDatasets {
 protected:
  void MakeFirst() {
    ASSERT_EQ(Fill(3, 3), 9);
    Serve();
    Freeze("first");
  }
};

TEST_F(DatasetFilesTest, WhatTheRealWorkerMadeIsFrozenAndReadByOthers) {
  MakeFirst();
  const auto list = client_->Get("/datasets/first/list.jsonl");
  ASSERT_EQ(list->status, 200);
  const auto root = Call("DatasetService/VerifyDataset", {{"name", "first"}})["root"];
  std::ofstream(folder_ / "list", std::ios::binary) << list->body;
  const auto merkle =
      Shell(fmt::format("/usr/bin/python3 {}/tests/cloud/dataset/read_back.py "
                        "merkle {} 2>&1",
                        SourceDir(), folder_ / "list"));
  EXPECT_EQ(merkle.second, root.get<std::string>() + "\n");
  EXPECT_EQ(list->get_header_value("ETag"), "\"" + root.get<std::string>() + "\"");
  const auto made = Export({{"name", "first"}, {"format", "coco"}});
  const std::string tar = Fetch(made["files"][0]);
  EXPECT_EQ(Hex(AsBytes(Sha256::Of(tar))), made["files"][0]["sha256"]);
  std::ofstream(folder_ / "coco.tar", std::ios::binary) << tar;
  const auto read =
      Shell(fmt::format("/usr/bin/python3 {}/tests/cloud/dataset/read_back.py coco {} {} 2>&1",
                        SourceDir(), folder_ / "coco.tar", folder_ / "list"));
  EXPECT_EQ(read.second, "9 6\n");
  // The pictures are real ones: another program finds their size in them.
  EXPECT_EQ(Shell("cd " + (folder_ / "") +
                  " && tar -xf coco.tar && find . -name '*.jpg' | head -1 |"
                  " xargs ffprobe -v error -show_entries stream=width,height -of csv=p=0")
                .second,
            fmt::format("{},{}\n", track_.width(), track_.height()));
  const auto card = client_->Get("/datasets/first/card.json");
  EXPECT_EQ(json::parse(card->body)["frames"], 9);
  EXPECT_THAT(client_->Get("/datasets/first/card.txt")->body, HasSubstr("9 frames, 6 boxes"));
}

TEST_F(DatasetFilesTest, PartsOfAnExportAreServedAsTheyWereAskedFor) {
  MakeFirst();
  const auto made = Export({{"name", "first"}, {"format", "yolo"}});
  const std::string path =
      fmt::format("/datasets/first/exports/{}/{}", made["number"].get<std::string>(),
                  made["files"][0]["name"].get<std::string>());
  const std::string all = client_->Get(path)->body;
  ASSERT_GT(all.size(), 5'000u);
  for (const std::string& at : {path, made["files"][0]["url"].get<std::string>()}) {
    const auto middle = client_->Get(at, {{"Range", "bytes=1000-1999"}});
    EXPECT_EQ(middle->status, 206);
    EXPECT_EQ(middle->body, all.substr(1000, 1000));
    EXPECT_EQ(middle->get_header_value("Content-Range"),
              fmt::format("bytes 1000-1999/{}", all.size()));
    const auto end = client_->Get(at, {{"Range", "bytes=-7"}});
    EXPECT_EQ(end->body, all.substr(all.size() - 7));
    const auto beyond = client_->Get(at, {{"Range", fmt::format("bytes={}-", all.size())}});
    EXPECT_EQ(beyond->status, 416);
    EXPECT_EQ(beyond->get_header_value("Content-Range"), fmt::format("bytes */{}", all.size()));
    const auto etag = client_->Head(at)->get_header_value("ETag");
    EXPECT_EQ(client_->Get(at, {{"If-None-Match", etag}})->status, 304);
  }
  EXPECT_EQ(client_->Get(path + "x")->status, 404);
  EXPECT_EQ(client_->Get("/datasets/none/list.jsonl")->status, 404);
  EXPECT_THAT(client_->Get("/datasets/first/what")->body, HasSubstr("card.json"));
  EXPECT_EQ(
      client_->Get("/datasets/first/exports/0" + path.substr(path.find("exports/") + 8))->status,
      404);
}

TEST_F(DatasetFilesTest, ASignedUrlNeedsNoTokenAndOpensItsOwnFileForAWhile) {
  ASSERT_EQ(Fill(2, 2), 4);
  Serve("secret-token");
  Freeze("first");
  const auto made = Export({{"name", "first"}, {"format", "webdataset"}});
  ASSERT_GE(made["files"].size(), 2u);
  const std::string url = made["files"][0]["url"], other = made["files"][1]["url"];
  const std::string plain =
      url.substr(std::string("/signed").size(), url.find('?') - std::string("/signed").size());
  client_->set_default_headers({});
  EXPECT_EQ(client_->Get(plain)->status, 401) << "without a token";
  EXPECT_EQ(client_->Get(url)->status, 200);
  const std::string signature = url.substr(url.find('?'));
  const auto refused = [&](const std::string& path) {
    const auto answer = client_->Get(path);
    EXPECT_THAT(answer->body, HasSubstr("not one that this server signed")) << path;
    return answer->status;
  };
  EXPECT_EQ(refused(other.substr(0, other.find('?')) + signature), 404) << "another path";
  EXPECT_EQ(refused("/signed/datasets/first/list.jsonl" + signature), 404);
  std::string forged = url;
  forged.back() = forged.back() == '0' ? '1' : '0';
  EXPECT_EQ(refused(forged), 404);
  const size_t until = url.find("until=") + 6;
  EXPECT_EQ(refused(url.substr(0, until) + "9" + url.substr(until)), 404) << "a later second";
  EXPECT_EQ(refused(url.substr(0, url.find('?'))), 404) << "no signature";
  clock_.Advance((kSignedSeconds + 1) * kNanosPerSecond);
  const auto late = client_->Get(url);
  EXPECT_EQ(late->status, 404);
  EXPECT_THAT(late->body, HasSubstr("time is over"));
}

}  // namespace
}  // namespace gleaner::cloud
