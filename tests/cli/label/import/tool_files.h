// Files as labelling tools write them.
#pragma once

#include <fmt/format.h>

#include <string>

namespace gleaner::cli {

inline constexpr const char* kFrames =
    "<label><name>gleaner:frames</name><attributes><attribute><name>of</name><values>ab12/front"
    "</values></attribute><attribute><name>frames-0</name><values>0\n100</values></attribute>"
    "<attribute><name>frames-1</name><values>200</values></attribute></attributes></label>";

// A task of three frames of ab12/front, 100 by 50 pixels.
inline std::string Task(const std::string& tracks, const std::string& labels = kFrames) {
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations><version>1.1</version>\n"
         "<meta><task><name>any</name><labels>" +
         labels +
         "</labels><original_size><width>100</width><height>50</height></original_size></task>"
         "</meta>\n" +
         tracks + "</annotations>\n";
}
inline std::string Box(
    int frame, const std::string& more = "", const std::string& inside = "",
    const std::string& place = R"(xtl="10.00" ytl="5.00" xbr="60.00" ybr="30.00")") {
  return fmt::format("<box frame=\"{}\" keyframe=\"1\" outside=\"0\" {} {}>{}</box>", frame, place,
                     more, inside);
}
inline std::string Track(const std::string& boxes, const std::string& label = "bottle") {
  return "<track id=\"0\" label=\"" + label + "\">" + boxes + "</track>\n";
}

inline std::string Rectangle(const std::string& more = R"("x":10,"y":10,"width":50,"height":50)",
                             const std::string& label = R"(["bottle"])") {
  return fmt::format(R"({{"id":"r","from_name":"label","to_name":"image","type":"rectanglelabels",)"
                     R"("value":{{{},"rotation":0,"rectanglelabels":{}}}}})",
                     more, label);
}
inline std::string StudioTask(int pts, const std::string& results) {
  return fmt::format(R"({{"id":1,"data":{{"image":"x"}},"meta":{{"gleaner":{{"clip":"ab12",)"
                     R"("camera":"front","pts":{}}}}},"annotations":[{{"result":[{}]}}]}})",
                     pts, results);
}

}  // namespace gleaner::cli
