// proto_check_roles: a step of the build that fails it where an rpc doesn't say who may call it.
//
//   proto_check_roles FILE    FILE: a FileDescriptorSet as protoc writes it with --include_imports
//                             --include_source_info
//
// Each mistake is a line that an editor understands: "gleaner/v1/jobs.proto:12:3: rpc …". Exit
// status: 0 all is declared, 1 something isn't, 2 FILE can't be read.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <fstream>
#include <iostream>
#include <string>

#include "gleaner/v1/role.pb.h"

namespace {

namespace pb = google::protobuf;

// Empty where all is well.
std::string WhatIsWrong(const pb::MethodDescriptor& method) {
  const bool for_devices = method.service()->options().GetExtension(gleaner::v1::for_devices);
  const bool has_role =
      method.options().GetExtension(gleaner::v1::least_role) != gleaner::v1::ROLE_UNSPECIFIED;
  if (for_devices && has_role) {
    return "has a least_role, and its service is for devices: no person ever calls it";
  }
  if (for_devices || has_role) return "";
  return "doesn't say who may call it: give it `option (gleaner.v1.least_role) = ROLE_…;`, or its "
         "service `option (gleaner.v1.for_devices) = true;`";
}

}  // namespace

int main(int argc, char** argv) {
  pb::FileDescriptorSet files;
  std::ifstream in(argc == 2 ? argv[1] : "", std::ios::binary);
  if (!in || !files.ParseFromIstream(&in)) {
    std::cerr << "proto_check_roles: no descriptor set in " << (argc == 2 ? argv[1] : "''") << "\n";
    return 2;
  }
  pb::DescriptorPool pool;
  int mistakes = 0;
  for (const pb::FileDescriptorProto& proto : files.file()) {
    const pb::FileDescriptor* file = pool.BuildFile(proto);
    if (file == nullptr) return 2;  // protoc was there before: it never happens
    for (int i = 0; i < file->service_count(); ++i) {
      for (int j = 0; j < file->service(i)->method_count(); ++j) {
        const pb::MethodDescriptor& method = *file->service(i)->method(j);
        const std::string wrong = WhatIsWrong(method);
        if (wrong.empty()) continue;
        pb::SourceLocation at;
        method.GetSourceLocation(&at);
        std::cerr << file->name() << ":" << at.start_line + 1 << ":" << at.start_column + 1
                  << ": rpc " << method.full_name() << " " << wrong << "\n";
        ++mistakes;
      }
    }
  }
  return mistakes == 0 ? 0 : 1;
}
