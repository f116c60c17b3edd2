#include "cloud/search/filter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "common/clock.h"
#include "common/status.h"
#include "tests/cloud/search/all_words.h"

namespace gleaner::cloud {
namespace {

constexpr int64_t kNow = 1'795'334'400 * kNanosPerSecond;  // 2026-11-22T08:00:00Z

absl::StatusOr<Filter> Parse(std::string_view text, FilterOf of = FilterOf::kClips) {
  return ParseFilter(text, kNow, AllWords(), of);
}

// A term with what its node says.
struct FlatTerm : FilterTerm {
  std::string key;
  bool negated = false;
};

// Of a filter without "or" and parentheses.
std::vector<FlatTerm> Terms(const absl::StatusOr<Filter>& filter) {
  std::vector<FlatTerm> terms;
  if (!filter.ok()) return terms;
  const auto add = [&](const FilterNode& node) {
    EXPECT_EQ(node.kind, FilterNode::Kind::kTerm);
    terms.push_back({node.term, node.term.word->key, node.negated});
  };
  if (filter->root.kind == FilterNode::Kind::kTerm) {
    add(filter->root);
  } else {
    EXPECT_EQ(filter->root.kind, FilterNode::Kind::kAll);
    for (const FilterNode& node : filter->root.parts) add(node);
  }
  return terms;
}

TEST(Filter, ReadsEveryKey) {
  const auto filter = Parse(
      "device:cart-1,cart-2 site:\"\" -rule:motion camera:front codec:h264 "
      "after:2026-11-22T08:00:00Z before:2h media:ok,failed,damaged-frames,worker-died "
      "id:0123456789abcdef0123");
  ASSERT_TRUE(filter.ok()) << filter.status();
  const auto terms = Terms(filter);
  ASSERT_EQ(terms.size(), 9u);
  EXPECT_EQ(terms[0].key, "device");
  EXPECT_EQ(terms[0].values, (std::vector<std::string>{"cart-1", "cart-2"}));
  EXPECT_FALSE(terms[0].negated);
  EXPECT_EQ(terms[1].values, (std::vector<std::string>{""}));
  EXPECT_EQ(terms[2].key, "rule");
  EXPECT_TRUE(terms[2].negated);
  EXPECT_EQ(terms[5].unix_ns, kNow);
  EXPECT_EQ(terms[6].unix_ns, kNow - 7200 * kNanosPerSecond);
  EXPECT_EQ(terms[7].values,
            (std::vector<std::string>{"ok", "failed", "damaged-frames", "worker-died"}));
}

TEST(Filter, AnEmptyOrBlankTextMatchesEverything) {
  EXPECT_EQ(Terms(Parse("")).size(), 0u);
  EXPECT_EQ(Terms(Parse(" \t ")).size(), 0u);
  EXPECT_EQ(Terms(Parse("  device:a   site:b  ")).size(), 2u);
}

TEST(Filter, ADayIsItsStartInUtcAndASpanNeverGoesBelowZero) {
  EXPECT_EQ(Terms(Parse("after:2026-11-22"))[0].unix_ns, kNow - 8 * 3600 * kNanosPerSecond);
  EXPECT_EQ(Terms(Parse("after:9999w"))[0].unix_ns, 0);
}

TEST(Filter, ASpanCountsBackFromNowInEachUnit) {
  for (const auto& [span, seconds] : {std::pair{"7s", 7},
                                      {"7m", 420},
                                      {"7h", 25'200},
                                      {"7d", 604'800},
                                      {"7w", 4'233'600},
                                      {"999999s", 999'999},
                                      {"0s", 0}}) {
    EXPECT_EQ(Terms(Parse(fmt::format("after:{}", span)))[0].unix_ns,
              kNow - seconds * kNanosPerSecond)
        << span;
  }
  for (const char* none : {"1000000s", "h", "7", "7hh", "7 h", "999999w"}) {
    EXPECT_FALSE(Parse(fmt::format("after:\"{}\"", none)).ok()) << none;
  }
}

TEST(Filter, ATimeMayBeOfAnyZoneFrom1970To2262) {
  const auto ns = [](const char* text) {
    return Terms(Parse(fmt::format("before:{}", text)))[0].unix_ns;
  };
  EXPECT_EQ(ns("2026-11-22T10:00:00.25+02:00"), kNow + kNanosPerSecond / 4);
  EXPECT_EQ(ns("1970-01-01"), 0);
  EXPECT_EQ(ns("2262-04-11T23:47:16Z"), 9'223'372'036 * kNanosPerSecond);
  EXPECT_FALSE(Parse("before:2262-04-11T23:47:17Z").ok());
  EXPECT_FALSE(Parse("before:1969-12-31T23:59:59Z").ok());
}

TEST(Filter, ANameOfACodecHasUpTo32Letters) {
  const std::string longest(32, 'h');
  EXPECT_TRUE(Parse("codec:" + longest).ok());
  EXPECT_FALSE(Parse("codec:h" + longest).ok());
  EXPECT_FALSE(Parse("codec:\"\"").ok());
}

TEST(Filter, FramesAreComparedWithNumbersAndHaveWordsOfTheirOwn) {
  using Comparison = FilterTerm::Comparison;
  const auto filter = Parse(
      "device:cart-1 sharpness<0.2 -blocked>=0.9 exposure>.5 motion<=1e-2 clipped<1 "
      "background:no reason:firing,peak",
      FilterOf::kFrames);
  ASSERT_TRUE(filter.ok()) << filter.status();
  const auto terms = Terms(filter);
  ASSERT_EQ(terms.size(), 8u);
  EXPECT_EQ(terms[1].key, "sharpness");
  EXPECT_EQ(terms[1].comparison, Comparison::kLess);
  EXPECT_EQ(terms[1].number, 0.2);
  EXPECT_TRUE(terms[1].values.empty());
  EXPECT_TRUE(terms[2].negated);
  EXPECT_EQ(terms[2].comparison, Comparison::kMoreOrEqual);
  EXPECT_EQ(terms[3].comparison, Comparison::kMore);
  EXPECT_EQ(terms[3].number, 0.5);
  EXPECT_EQ(terms[4].comparison, Comparison::kLessOrEqual);
  EXPECT_EQ(terms[6].values, (std::vector<std::string>{"no"}));
  EXPECT_EQ(terms[7].values, (std::vector<std::string>{"firing", "peak"}));
}

struct Bad {
  const char* text;
  int column;
  const char* says;
};

TEST(Filter, SaysWhatIsWrongWithTermsAboutFrames) {
  const Bad cases[] = {
      {"sharpness<", 11, "expected a number"},
      {"sharpness<sharp", 11, "from 0 to 1"},
      {"sharpness<1.01", 11, "from 0 to 1"},
      {"sharpness<-0.1", 11, "from 0 to 1"},
      {"sharpness<nan", 11, "from 0 to 1"},
      {"sharpness<0.2x", 11, "from 0 to 1"},
      {"sharpness<0.2,0.3", 14, "space between terms"},
      {"sharpness:0.2", 10, "sharpness<0.2"},
      {"sharpness=0.2", 10, "expected \":\""},
      {"device<3", 7, "write device:VALUE"},
      {"background:maybe", 12, "yes, no or unknown"},
      {"reason:luck", 8, "firing, peak, keyframe or evenly"},
      {"colour:red", 1, "blocked, motion, label, predicted"},
  };
  for (const Bad& bad : cases) {
    const auto filter = Parse(bad.text, FilterOf::kFrames);
    ASSERT_FALSE(filter.ok()) << bad.text;
    const std::string says(Message(filter.status()));
    EXPECT_NE(says.find(fmt::format("column {}:", bad.column)), std::string::npos) << says;
    EXPECT_NE(says.find(bad.says), std::string::npos) << says;
  }
  for (const char* text : {"sharpness<0.2", "background:no", "reason:peak"}) {
    const std::string says(Message(Parse(text).status()));
    EXPECT_NE(says.find("column 1:"), std::string::npos) << says;
    EXPECT_NE(says.find("is about frames"), std::string::npos) << says;
    EXPECT_NE(says.find("gleaner frames list"), std::string::npos) << says;
  }
}

TEST(Filter, SaysTheColumnAndWhatWouldBeRight) {
  const Bad cases[] = {
      {"colour:red", 1, "unknown key \"colour\""},
      {"device:a size:3", 10, "unknown key \"size\""},
      {"device", 7, "expected \":\""},
      {"device:", 8, "expected a value"},
      {"device:a,", 10, "expected a value after \",\""},
      {"device:\"a", 10, "never closed"},
      {"device:\"a\"b", 11, "space between terms"},
      {"device:Cart", 8, "write \"cart\""},
      {"device:a,B", 10, "a-z"},
      {"- device:a", 2, "expected a key"},
      {":a", 1, "expected a key"},
      {"after:yesterday", 7, "is not a time"},
      {"after:5y", 7, "is not a time"},
      {"after:1969-01-01", 7, "is not a time"},
      {"before:2400-01-01", 8, "is not a time"},
      {"after:1h,2h", 10, "takes one time"},
      {"media:good", 7, "ok, failed, pending, damaged-frames"},
      {"id:xyz", 4, "20 hex digits"},
      {"id:0123456789abcdef01234", 4, "20 hex digits"},
      {"id:\"\"", 5, "20 hex digits"},
      {"codec:h.264", 7, "codec"},
      {"device:a' or 1=1", 14, "expected a key"},
      {"device:a\nsite:b", 8, "a-z"},
  };
  for (const Bad& bad : cases) {
    const auto filter = Parse(bad.text);
    ASSERT_FALSE(filter.ok()) << bad.text;
    EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(Message(filter.status()));
    EXPECT_NE(message.find(fmt::format("column {}:", bad.column)), std::string::npos)
        << bad.text << " → " << message;
    EXPECT_NE(message.find(bad.says), std::string::npos) << bad.text << " → " << message;
  }
}

TEST(Filter, RefusesWhatIsTooLong) {
  const auto error = [](const std::string& text) {
    return std::string(Message(Parse(text).status()));
  };
  EXPECT_EQ(error(std::string(kMaxFilterBytes, ' ')), "");
  EXPECT_EQ(error(std::string(kMaxFilterBytes + 1, ' ')),
            fmt::format("filter, column {}: a filter has at most {} bytes", kMaxFilterBytes + 1,
                        kMaxFilterBytes));
  std::string terms, values = "device:a";
  for (size_t i = 0; i < kMaxFilterTerms; ++i) terms += "device:a ";
  for (size_t i = 1; i < kMaxFilterValues; ++i) values += ",a";
  EXPECT_EQ(error(terms), "");
  EXPECT_EQ(error(values), "");
  EXPECT_EQ(error(terms + "device:a"),
            fmt::format("filter, column {}: a filter has at most {} terms", terms.size() + 1,
                        kMaxFilterTerms));
  EXPECT_EQ(error(values + ",a"), fmt::format("filter, column {}: more than {} values in one term",
                                              values.size() + 2, kMaxFilterValues));
}

// Filters made at random are read back as they were made; the same with one byte changed is read or
// refused, never worse.
TEST(Filter, ReadsBackRandomFiltersAndSurvivesRandomMistakes) {
  std::mt19937_64 random(7);
  const auto pick = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 2000; ++round) {
    struct Made {
      bool negated;
      std::string key;
      std::vector<std::string> values;
    };
    std::vector<Made> made;
    std::string text;
    for (int i = pick(6); i > 0; --i) {
      static const char* kNames[] = {"device", "site", "rule", "camera"};
      Made term{.negated = pick(2) == 1, .key = kNames[pick(4)]};
      text +=
          fmt::format("{}{}{}:", std::string(1 + pick(2), ' '), term.negated ? "-" : "", term.key);
      for (int v = 1 + pick(3); v > 0; --v) {
        std::string value;
        for (int c = 1 + pick(8); c > 0; --c) value += "abz09"[pick(5)];
        text += pick(2) == 0 ? value : '"' + value + '"';
        if (v > 1) text += ',';
        term.values.push_back(value);
      }
      made.push_back(std::move(term));
    }
    const auto filter = Parse(text);
    ASSERT_TRUE(filter.ok()) << text << ": " << filter.status();
    ASSERT_EQ(Terms(filter).size(), made.size());
    for (size_t i = 0; i < made.size(); ++i) {
      EXPECT_EQ(Terms(filter)[i].negated, made[i].negated);
      EXPECT_EQ(Terms(filter)[i].values, made[i].values);
    }
    if (text.empty()) continue;
    text[pick(static_cast<int>(text.size()))] = static_cast<char>(pick(256));
    const auto changed = Parse(text);
    if (!changed.ok()) {
      EXPECT_EQ(changed.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_NE(Message(changed.status()).find("column"), std::string_view::npos);
    }
  }
}

// Printed, as a tree.
std::string Shape(const FilterNode& node) {
  std::string text = node.negated ? "-" : "";
  if (node.kind == FilterNode::Kind::kTerm) return text + node.term.word->key;
  text += node.kind == FilterNode::Kind::kAll ? "all(" : "any(";
  for (const FilterNode& part : node.parts)
    text += Shape(part) + (&part == &node.parts.back() ? "" : " ");
  return text + ")";
}

TEST(Filter, OrBindsLooserThanSpacesAndParenthesesGroup) {
  const std::pair<const char*, const char*> cases[] = {
      {"device:a", "device"},
      {"-device:a", "-device"},
      {"device:a site:b", "all(device site)"},
      {"device:a or site:b", "any(device site)"},
      {"device:a site:b or rule:c", "any(all(device site) rule)"},
      {"device:a (site:b or rule:c)", "all(device any(site rule))"},
      {"-(site:b or rule:c) device:a", "all(-any(site rule) device)"},
      {"((device:a))", "device"},
      {"-(-device:a)", "device"},
      {"( device:a\tor  site:b )", "any(device site)"},
      {"device:or or site:or", "any(device site)"},
      {"device:\"a\"or site:b", ""},
  };
  for (const auto& [text, shape] : cases) {
    const auto filter = Parse(text);
    EXPECT_EQ(filter.ok() ? Shape(filter->root) : "", shape) << text << filter.status();
  }
}

TEST(Filter, SaysWhatIsWrongWithOrAndParentheses) {
  const std::string deep(kMaxFilterDepth, '(');
  const std::string deep_text = deep + "(device:a)";
  const Bad cases[] = {
      {"or device:a", 1, "expected a key"},
      {"device:a or", 12, "expected a key"},
      {"device:a or or site:b", 13, "\"or\" stands between terms"},
      {"(device:a", 10, "parenthesis is never closed"},
      {"device:a)", 9, "no parenthesis that this one closes"},
      {"()", 2, "expected a key"},
      {"device:a(site:b)", 9, "space between terms"},
      {"device:a and site:b", 10, "\"or\" between them means either"},
      {"device:a OR site:b", 10, "\"or\" between them means either"},
      {"not device:a", 1, "\"-\" before one negates"},
      {"devise:a", 1, "did you mean \"device\"?"},
      {"sit:a", 1, "did you mean \"site\"?"},
      {"camrea:a", 1, "did you mean \"camera\"?"},
      {"device:a>3", 9, "write device:VALUE"},
      {deep_text.c_str(), 9, "at most 8 parentheses in each other"},
  };
  for (const Bad& bad : cases) {
    const auto filter = Parse(bad.text);
    ASSERT_FALSE(filter.ok()) << bad.text;
    const std::string says(Message(filter.status()));
    EXPECT_NE(says.find(fmt::format("column {}:", bad.column)), std::string::npos)
        << bad.text << " → " << says;
    EXPECT_NE(says.find(bad.says), std::string::npos) << bad.text << " → " << says;
  }
  EXPECT_TRUE(Parse(deep + "device:a" + std::string(kMaxFilterDepth, ')')).ok());
}

TEST(Filter, AClassMayBeComparedAndASplitMayNameItsSchema) {
  const auto filter = Parse(
      "label:bottle,mug predicted:bottle>0.6 predicted:mug split:test,carts/train "
      "reviewed:no",
      FilterOf::kFrames);
  const auto terms = Terms(filter);
  ASSERT_EQ(terms.size(), 5u) << filter.status();
  EXPECT_EQ(terms[1].values, (std::vector<std::string>{"bottle"}));
  EXPECT_EQ(terms[1].number, 0.6);
  EXPECT_EQ(terms[2].comparison, FilterTerm::Comparison::kNone);
  EXPECT_EQ(terms[3].values, (std::vector<std::string>{"test", "carts/train"}));
  const Bad cases[] = {
      {"predicted:bottle>2", 18, "from 0 to 1"},
      {"predicted>0.5", 10, "needs a value before the comparison"},
      {"predicted:Bottle>0.5", 11, "write \"bottle\""},
      {"label:bottle>0.5", 13, "can't be compared"},
      {"split:tests", 7, "train, validation or test"},
      {"split:a/b/test", 7, "train, validation or test"},
      {"reviewed:maybe", 10, "yes or no"},
  };
  for (const Bad& bad : cases) {
    const std::string says(Message(Parse(bad.text, FilterOf::kFrames).status()));
    EXPECT_NE(says.find(fmt::format("column {}:", bad.column)), std::string::npos)
        << bad.text << " → " << says;
    EXPECT_NE(says.find(bad.says), std::string::npos) << bad.text << " → " << says;
  }
}

// Trees made at random, printed by hand with all their parentheses, are what they were when they
// are read, printed and read again.
TEST(Filter, WhatIsPrintedIsReadAsTheSameTree) {
  std::mt19937_64 random(11);
  const auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::vector<std::string> terms = {
      "device:a",         "site:\"\",b",   "after:2026-11-22",   "before:2h",   "sharpness<0.125",
      "label:bottle,mug", "reason:firing", "predicted:mug>=0.3", "reviewed:no", "id:0f,1"};
  const std::function<std::string(int)> made = [&](int depth) -> std::string {
    const std::string negation = pick(4) == 0 ? "-" : "";
    if (depth == 0 || pick(3) == 0) return negation + terms[pick(terms.size())];
    std::string text;
    const std::string between = pick(2) == 0 ? " or " : " ";
    for (size_t i = 1 + pick(3); i > 0; --i) {
      text += (text.empty() ? "" : between) + made(depth - 1);
    }
    return negation + "(" + text + ")";
  };
  for (int round = 0; round < 3000; ++round) {
    const std::string text = made(3);
    const auto filter = Parse(text, FilterOf::kFrames);
    if (!filter.ok()) {
      EXPECT_NE(Message(filter.status()).find("at most 32 terms"), std::string_view::npos);
      continue;
    }
    const std::string printed = ToText(*filter);
    const auto again = Parse(printed, FilterOf::kFrames);
    ASSERT_TRUE(again.ok()) << text << " → " << printed << ": " << again.status();
    ASSERT_EQ(Shape(again->root), Shape(filter->root)) << text << " → " << printed;
    ASSERT_EQ(ToText(*again), printed);
    ASSERT_LE(printed.size(), text.size() + 24 * 32);  // times are longer than spans
  }
}

TEST(Vocabulary, RefusesWordsThatNoFilterCouldHave) {
  const auto word = [](const std::string& key) {
    return FilterWord{.key = key,
                      .help = "something",
                      .example = key + ":x",
                      .condition = [](const FilterTerm&, FilterSql&) { return "1 = 1"; }};
  };
  Vocabulary words;
  EXPECT_TRUE(words.Add({word("colour")}).ok());
  for (const char* none : {"", "or", "and", "not", "Colour", "a-b", "colour"}) {
    EXPECT_FALSE(words.Add({word(none)}).ok()) << none;
  }
  FilterWord without = word("shape");
  without.value = FilterWord::Value::kOneOf;
  EXPECT_FALSE(words.Add({without}).ok()) << "nothing that it could be one of";
  EXPECT_EQ(words.Keys(FilterOf::kClips), "colour");
  EXPECT_EQ(words.Nearest("color", FilterOf::kClips), "colour");
  EXPECT_EQ(words.Nearest("xyz", FilterOf::kClips), "");
}

}  // namespace
}  // namespace gleaner::cloud
