// A bucket that doesn't answer holds up nothing but the clips that go there.
#include <gmock/gmock.h>

#include "cloud/store/s3/object_store.h"
#include "tests/cloud/ingest/ingest_testing.h"

namespace gleaner::cloud {
namespace {

using testing::ElementsAre;

class StoreAwayTest : public IngestTest {
 protected:
  // Nobody listens there, and by this clock it is never time to try again.
  StoreAwayTest() : IngestTest() {
    Stop();
    catalog_ = *OpenTestCatalog(folder_ / "catalog.db");
    blobs_ = *OpenStaging(folder_ / "blobs");
    service_ = std::make_unique<IngestService>(catalog_->uploads, catalog_->names, *blobs_, bucket_,
                                               clock_, options_);
    server_ = *DeviceServer::Start(door_, {service_.get()}, clock_);
    address_ = fmt::format("127.0.0.1:{}", server_->port());
  }
  ~StoreAwayTest() override {
    client_.Stop();
    Stop();
  }

  FakeClock standing_;
  s3::Client client_{{.endpoint = "http://127.0.0.1:1", .bucket = "clips"}, standing_};
  s3::S3ObjectStore bucket_{client_, nullptr, {}};
};

TEST_F(StoreAwayTest, ALedgerIsTakenThoughWhatItGivesUpCantBeRemovedThere) {
  ASSERT_TRUE(catalog_->database()
                  .Write([](Sql& sql) {
                    AddRubbish(sql, "clips/cart-1/62/7/video-0.0123", "cart-1", 0);
                    return absl::OkStatus();
                  })
                  .ok());
  auto device = Connect();
  // More than there are strands.
  for (int i = 0; i < 6; ++i) {
    v1::ReportLedgerRequest report;
    v1::BootLedger* boot = report.add_boots();
    boot->set_boot_id(std::string(16, 'b'));
    boot->set_last_sequence(1);
    v1::Tombstone* tombstone = boot->add_tombstones();
    tombstone->mutable_key()->set_boot_id(boot->boot_id());
    tombstone->mutable_key()->set_sequence(1);
    tombstone->set_state(v1::Tombstone::STATE_EVICTED);
    grpc::ClientContext context;
    v1::ReportLedgerResponse response;
    const grpc::Status taken = device->stub().ReportLedger(&context, report, &response);
    ASSERT_TRUE(taken.ok()) << taken.error_message();
    EXPECT_EQ(response.acknowledged_size(), 1);
  }
  EXPECT_THAT(*catalog_->names.FindRubbish("", 10), ElementsAre("clips/cart-1/62/7/video-0.0123"));
}

}  // namespace
}  // namespace gleaner::cloud
