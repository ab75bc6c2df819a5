// Every name of the standard library comes with an include of ours. A file that lives on what some
// other library happens to include compiles here and breaks with the next version of a compiler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/project_sources.hpp"

namespace xlab::tests {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

/// Headers, any of which is enough for the names beside it. A name may stand in several rows.
struct Row {
  const char* headers;
  const char* names;
};

constexpr Row kTable[] = {
    {"algorithm",
     "adjacent_find all_of any_of binary_search clamp copy copy_backward copy_if copy_n count "
     "count_if equal equal_range fill fill_n find find_end find_first_of find_if find_if_not "
     "for_each for_each_n generate generate_n includes inplace_merge is_partitioned "
     "is_permutation is_sorted is_sorted_until lexicographical_compare lower_bound make_heap max "
     "max_element merge min min_element minmax minmax_element mismatch next_permutation none_of "
     "nth_element partial_sort partition partition_point pop_heap prev_permutation push_heap "
     "remove remove_copy_if remove_if replace replace_if reverse rotate sample search "
     "set_difference set_intersection set_symmetric_difference set_union shuffle sort sort_heap "
     "stable_partition stable_sort swap_ranges transform unique unique_copy upper_bound "
     "ranges::all_of ranges::any_of ranges::binary_search ranges::copy ranges::copy_if "
     "ranges::count ranges::count_if ranges::equal ranges::fill ranges::find ranges::find_if "
     "ranges::find_if_not ranges::for_each ranges::generate ranges::includes ranges::is_sorted "
     "ranges::lower_bound ranges::max ranges::max_element ranges::min ranges::min_element "
     "ranges::minmax ranges::minmax_element ranges::mismatch ranges::none_of ranges::nth_element "
     "ranges::partial_sort ranges::remove ranges::remove_if ranges::replace ranges::reverse "
     "ranges::rotate ranges::search ranges::set_difference ranges::shuffle ranges::sort "
     "ranges::stable_sort ranges::transform ranges::unique ranges::upper_bound"},
    {"numeric",
     "accumulate adjacent_difference exclusive_scan gcd inclusive_scan inner_product iota lcm "
     "midpoint partial_sum reduce transform_reduce"},
    {"cmath",
     "acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 "
     "fabs floor fma fmax fmin fmod frexp hypot ilogb isfinite isinf isnan isnormal ldexp lerp "
     "lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter "
     "pow remainder rint round scalbn signbit sin sinh sqrt tan tanh tgamma trunc"},
    {"cmath cstdlib", "abs"},
    {"cstdlib",
     "_Exit abort atexit atof atoi calloc exit free getenv malloc mbstowcs qsort quick_exit "
     "realloc strtod strtof strtol strtoll strtoul strtoull system"},
    {"cstring",
     "memchr memcmp memcpy memmove memset strchr strcmp strerror strlen strncmp strrchr strstr"},
    {"cstdio",
     "FILE fclose fflush fgets fopen fprintf fputs fread fseek ftell fwrite perror printf puts "
     "remove rename snprintf sscanf"},
    {"cctype",
     "isalnum isalpha iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit "
     "tolower toupper"},
    {"ctime", "gmtime localtime mktime strftime time time_t tm"},
    {"csignal", "raise sig_atomic_t signal"},
    {"cfenv", "fegetround fesetround"},
    {"cstddef", "byte max_align_t"},
    {"cstdint",
     "int16_t int32_t int64_t int8_t intmax_t intptr_t uint16_t uint32_t uint64_t uint8_t "
     "uintmax_t uintptr_t"},
    {"any", "any any_cast"},
    {"array", "array to_array"},
    {"atomic",
     "atomic atomic_flag atomic_ref atomic_thread_fence memory_order_acq_rel "
     "memory_order_acquire memory_order_relaxed memory_order_release memory_order_seq_cst"},
    {"barrier", "barrier"},
    {"bit",
     "bit_cast bit_ceil bit_floor bit_width countl_zero countr_one countr_zero endian "
     "has_single_bit popcount rotl rotr"},
    {"bitset", "bitset"},
    {"charconv", "chars_format from_chars to_chars"},
    {"chrono", "chrono"},
    {"compare", "partial_ordering strong_ordering weak_ordering"},
    {"complex", "complex"},
    {"concepts",
     "constructible_from convertible_to derived_from floating_point integral invocable "
     "predicate same_as"},
    {"condition_variable", "condition_variable condition_variable_any cv_status"},
    {"deque", "deque"},
    {"exception stdexcept",
     "current_exception exception exception_ptr make_exception_ptr nested_exception "
     "rethrow_exception set_terminate terminate throw_with_nested uncaught_exceptions"},
    {"filesystem", "filesystem"},
    {"fstream", "filebuf fstream ifstream ofstream"},
    {"functional",
     "bind bit_and bit_or bit_xor cref divides equal_to function greater greater_equal invoke "
     "less less_equal logical_and logical_or mem_fn minus modulus multiplies negate not_equal_to "
     "not_fn plus ref reference_wrapper"},
    {"functional optional string string_view thread variant memory", "hash"},
    {"future", "async future packaged_task promise shared_future"},
    {"initializer_list array deque map set span string vector", "initializer_list"},
    {"iomanip", "fixed put_time quoted setfill setprecision setw"},
    {"iostream", "cerr cin clog cout"},
    {"iterator",
     "advance back_insert_iterator back_inserter distance front_inserter inserter "
     "istream_iterator istreambuf_iterator iterator_traits make_move_iterator move_iterator "
     "ostream_iterator ostreambuf_iterator reverse_iterator"},
    {"iterator array deque map set span string string_view vector",
     "begin cbegin cend data empty end next prev rbegin rend size ssize"},
    {"latch", "latch"},
    {"limits", "numeric_limits"},
    {"list", "list"},
    {"locale", "locale"},
    {"map", "map multimap"},
    {"memory",
     "addressof align allocator const_pointer_cast default_delete destroy_at "
     "dynamic_pointer_cast enable_shared_from_this make_shared make_unique shared_ptr "
     "static_pointer_cast uninitialized_copy unique_ptr weak_ptr"},
    {"mutex",
     "adopt_lock call_once defer_lock lock_guard mutex once_flag recursive_mutex scoped_lock "
     "timed_mutex try_to_lock"},
    {"mutex shared_mutex", "unique_lock"},
    {"shared_mutex", "shared_lock shared_mutex"},
    {"new memory", "align_val_t bad_alloc nothrow nothrow_t"},
    {"numbers", "numbers"},
    {"optional", "bad_optional_access make_optional nullopt nullopt_t optional"},
    {"ostream iostream sstream fstream", "endl flush ostream"},
    {"istream iostream sstream fstream", "istream ws"},
    {"ios iostream sstream fstream istream ostream", "ios ios_base streamoff streampos"},
    {"queue", "priority_queue queue"},
    {"random",
     "bernoulli_distribution discrete_distribution mt19937 mt19937_64 normal_distribution "
     "random_device uniform_int_distribution uniform_real_distribution"},
    {"ranges", "ranges::subrange views"},
    {"regex",
     "cmatch regex regex_constants regex_match regex_replace regex_search smatch "
     "sregex_iterator sregex_token_iterator"},
    {"semaphore", "binary_semaphore counting_semaphore"},
    {"set", "multiset set"},
    {"source_location", "source_location"},
    {"span", "as_bytes as_writable_bytes dynamic_extent span"},
    {"sstream", "istringstream ostringstream stringstream"},
    {"stack", "stack"},
    {"stdexcept",
     "domain_error invalid_argument length_error logic_error out_of_range overflow_error "
     "range_error runtime_error underflow_error"},
    {"stop_token thread", "nostopstate stop_callback stop_source stop_token"},
    {"streambuf", "streambuf"},
    {"string",
     "basic_string char_traits getline stod stof stoi stol stoll stoul stoull string to_string "
     "u16string u32string u8string wstring"},
    {"string_view string", "string_view u8string_view"},
    {"system_error filesystem", "errc error_category error_code generic_category system_error"},
    {"thread", "jthread this_thread thread"},
    {"tuple", "apply forward_as_tuple ignore make_tuple tie tuple tuple_cat"},
    {"tuple utility array", "tuple_element_t tuple_size_v"},
    {"tuple utility array variant", "get"},
    {"type_traits",
     "add_const_t bool_constant common_type_t conditional_t decay_t enable_if_t extent_v "
     "false_type integral_constant invoke_result_t is_arithmetic_v is_base_of_v is_const_v "
     "is_constructible_v is_convertible_v is_copy_constructible_v is_enum_v is_floating_point_v "
     "is_integral_v is_invocable_v is_nothrow_move_constructible_v is_pointer_v is_same "
     "is_same_v is_signed_v is_standard_layout_v is_trivially_copyable_v is_unsigned_v "
     "is_void_v make_signed_t make_unsigned_t remove_const_t remove_cv_t remove_cvref_t "
     "remove_pointer_t remove_reference_t true_type type_identity_t underlying_type_t void_t"},
    {"typeindex", "type_index"},
    {"typeinfo", "bad_cast type_info"},
    {"unordered_map", "unordered_map unordered_multimap"},
    {"unordered_set", "unordered_multiset unordered_set"},
    // What carries or stores values carries these along, in every library there is.
    {"utility algorithm array deque functional map memory optional set string tuple "
     "unordered_map unordered_set variant vector",
     "as_const declval exchange forward make_pair move move_if_noexcept pair swap"},
    {"utility", "cmp_equal cmp_greater cmp_less in_range index_sequence make_index_sequence"},
    {"variant",
     "bad_variant_access get_if holds_alternative in_place_type monostate variant "
     "variant_alternative_t variant_size_v visit"},
    {"vector", "vector"},
};

using Headers = std::set<std::string>;

std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> words;
  std::istringstream in(text);
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

/// name -> headers, any of which is enough.
const std::map<std::string, Headers, std::less<>>& headers_for() {
  static const auto built = [] {
    std::map<std::string, Headers, std::less<>> map;
    for (const Row& row : kTable) {
      for (const std::string& name : words_of(row.names)) map[name].merge(words_of(row.headers));
    }
    return map;
  }();
  return built;
}

bool in_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// The text without comments, and with empty strings and characters.
std::string code_of(const std::string& text) {
  std::string code;
  code.reserve(text.size());
  const std::string_view all = text;
  for (std::size_t i = 0; i < all.size();) {
    if (all.substr(i).starts_with("//")) {
      while (i < all.size() && all[i] != '\n') ++i;
    } else if (all.substr(i).starts_with("/*")) {
      const std::size_t end = all.find("*/", i + 2);
      i = end == all.npos ? all.size() : end + 2;
      code += ' ';
    } else if (all.substr(i).starts_with("R\"")) {
      const std::size_t open = all.find('(', i);
      std::string close = ")";
      close += all.substr(i + 2, open - i - 2);
      close += '"';
      const std::size_t end = open == all.npos ? all.npos : all.find(close, open);
      i = end == all.npos ? all.size() : end + close.size();
      code += "\"\"";
    } else if (all[i] == '"' || (all[i] == '\'' && (i == 0 || !in_name(all[i - 1])))) {
      const char quote = all[i++];  // a ' inside a name or a number parts digits
      while (i < all.size() && all[i] != quote && all[i] != '\n') i += all[i] == '\\' ? 2 : 1;
      ++i;
      code += quote, code += quote;
    } else {
      code += all[i++];
    }
  }
  return code;
}

/// The names of the standard library that a text uses: those after std::, and numbers of fixed size
/// with or without it. Names in std::ranges keep that part.
std::set<std::string> standard_names_of(const std::string& text) {
  const std::string code = code_of(text);
  const auto name_at = [&](std::size_t at) {
    std::size_t end = at;
    while (end < code.size() && in_name(code[end])) ++end;
    return code.substr(at, end - at);
  };
  std::set<std::string> names;
  for (std::size_t i = 0; i < code.size();) {
    if (!in_name(code[i])) {
      ++i;
      continue;
    }
    const std::string word = name_at(i);
    const bool after_colons = i >= 2 && code[i - 1] == ':' && code[i - 2] == ':';
    i += word.size();
    if (word == "std" && !after_colons && code.compare(i, 2, "::") == 0) {
      std::string name = name_at(i + 2);
      i += 2 + name.size();
      if (name == "ranges" && code.compare(i, 2, "::") == 0) {
        const std::string rest = name_at(i + 2);
        i += 2 + rest.size();
        name += "::" + rest;
      }
      names.insert(name);
    } else if (!after_colons && word.ends_with("_t") && word.find("int") != word.npos) {
      names.insert(word);
    }
  }
  return names;
}

/// Where `header`, included by `file`, lies in the project; empty when it is a foreign one.
std::string own_header(const std::string& file, const std::string& header) {
  const fs::path beside = fs::path(file).parent_path();
  for (const fs::path& folder :
       {fs::path(), beside, fs::path("tests"), fs::path("tests/emulation")}) {
    const std::string path = (folder / header).generic_string();
    if (fs::is_regular_file(kSource / path)) return path;
  }
  return "";
}

/// Everything that a file includes, directly or through files of the project.
const Headers& included_by(const std::string& file) {
  static std::map<std::string, Headers> known;
  const auto [entry, is_new] = known.try_emplace(file);
  if (is_new) {
    for (const std::string& header : includes_of(text_of(kSource / file))) {
      Headers more = {header};
      if (const std::string own = own_header(file, header); !own.empty()) {
        const Headers& through = included_by(own);
        more.insert(through.begin(), through.end());
      }
      known.at(file).merge(more);
    }
  }
  return known.at(file);
}

/// "std::sort needs <algorithm>" for each name that no include answers for.
std::vector<std::string> missing(const std::string& text, const Headers& included) {
  std::vector<std::string> missing;
  for (const std::string& name : standard_names_of(text)) {
    const auto row = headers_for().find(name);
    if (row == headers_for().end()) continue;
    const Headers& enough = row->second;
    if (std::none_of(enough.begin(), enough.end(),
                     [&](const std::string& header) { return included.contains(header); })) {
      missing.push_back("std::" + name + " needs <" + *enough.begin() + ">");
    }
  }
  return missing;
}

TEST(Includes, TheRulesTellRightFromWrong) {
  EXPECT_THAT(missing("std::sort(a, b);", {"vector"}), ElementsAre("std::sort needs <algorithm>"));
  EXPECT_THAT(missing("std::sort(a, b);", {"algorithm"}), IsEmpty());
  EXPECT_THAT(missing("std::ranges::equal(a, b)", {"ranges"}),
              ElementsAre("std::ranges::equal needs <algorithm>"));
  EXPECT_THAT(missing("uint64_t a; std::int8_t b; std::size_t c; int d;", {}),
              ElementsAre("std::int8_t needs <cstdint>", "std::uint64_t needs <cstdint>"));
  EXPECT_THAT(missing("// std::sort\n/* std::map\n */ \"std::set\"; R\"(\"std::any\")\"", {}),
              IsEmpty());
  EXPECT_THAT(missing("1'000'000 + std::sqrt(2); 'x'; '\\''; std::abs(1)", {}),
              ElementsAre("std::abs needs <cmath>", "std::sqrt needs <cmath>"));
  EXPECT_THAT(missing("ours::std::sort; sort(a); mine.sort(); next(a);", {}), IsEmpty());
  EXPECT_THAT(missing("std::unique_lock l(m);", {"shared_mutex"}), IsEmpty());
}

TEST(Includes, EveryStandardNameComesWithAnIncludeOfOurs) {
  const auto files = project_files(is_code);
  EXPECT_GT(files.size(), 150u);
  std::size_t names = 0;
  for (const std::string& file : files) {
    const std::string text = text_of(kSource / file);
    names += standard_names_of(text).size();
    EXPECT_THAT(missing(text, included_by(file)), IsEmpty()) << "in " << file;
  }
  EXPECT_GT(names, 1000u) << "the files were hardly read";
}

}  // namespace
}  // namespace xlab::tests
