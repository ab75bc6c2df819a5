// Files from strangers: each is refused with a sentence, quickly, and in little memory.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/files/safetensors.hpp"
#include "tests/counted_work.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
// What refusing a file may take: as much as reading so many mebibytes byte by byte.
constexpr double kMostWork = 200, kMostWorkOfLargeHeaders = 2000;

std::string length_bytes(std::uint64_t length) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes;
}

/// A file with this header and so many bytes of numbers.
std::string file_of(const std::string& header, std::size_t data = 0) {
  return length_bytes(header.size()) + header + std::string(data, '\x01');
}

/// A file with one tensor of these fields, and eight bytes of numbers.
std::string tensor_of(const std::string& fields) {
  return file_of("{\"w\":{" + fields + "}}", 8);
}

/// A file with one F32 tensor of this shape, which really has eight bytes.
std::string shape_of(const std::string& shape) {
  return tensor_of(R"("dtype":"F32","data_offsets":[0,8],"shape":)" + shape);
}

/// The same for its place.
std::string offsets_of(const std::string& offsets) {
  return tensor_of(R"("dtype":"F32","shape":[2],"data_offsets":)" + offsets);
}

std::string type_of(const std::string& type) {
  return tensor_of(R"("data_offsets":[0,8],"shape":[2],"dtype":)" + type);
}

/// Two U8 tensors at these places, with `data` bytes of numbers.
std::string two_at(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d,
                   std::size_t data) {
  return file_of(fmt::format(R"({{"a":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}},)"
                             R"("b":{{"dtype":"U8","shape":[{}],"data_offsets":[{},{}]}}}})",
                             b - a, a, b, d - c, c, d),
                 data);
}

std::string repeated(const std::string& part, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += part;
  return all;
}

/// `count` entries name0, name1, ..., separated by commas.
std::string entries(std::size_t count, const std::string& value) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i) {
    all += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", i, value);
  }
  return all;
}

constexpr const char* kGoodTensor = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
constexpr const char* kEmptyTensor = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";

std::string good_file() {
  return file_of("{\"w\":"s + kGoodTensor + "}", 8);
}

struct HostileFile {
  std::string name;
  std::string bytes;
  std::string complaint;  ///< part of the sentence it must be refused with
};

std::vector<HostileFile> header_lengths() {
  const std::string body = good_file().substr(8);
  const std::uint64_t header = body.size() - 8;
  const auto with = [&](std::uint64_t length) { return length_bytes(length) + body; };
  return {
      {"length 0", with(0), "its header has only 0 bytes"},
      {"length 1", with(1), "its header has only 1 byte."},
      {"length 7", with(7), "does not end with '}'"},
      {"length 8", with(8), "does not end with '}'"},
      {"length one short", with(header - 1), "is no valid JSON"},
      {"length two short", with(header - 2), "does not end with '}'"},
      {"length one long", with(header + 1), "does not end with '}'"},
      {"length up to the last byte but one", with(body.size() - 1), "does not end with '}'"},
      {"length up to the end", with(body.size()), "does not end with '}'"},
      {"length one past the end", with(body.size() + 1), "its header claims"},
      {"length of the whole file", with(body.size() + 8), "its header claims"},
      {"length 100,000,000", with(100000000), "its header claims 100000000 bytes"},
      {"length 100,000,001", with(100000001), "its header claims 100000001 bytes"},
      {"length 2^31", with(1ull << 31), "its header claims"},
      {"length 2^32 - 1", with((1ull << 32) - 1), "its header claims"},
      {"length 2^32", with(1ull << 32), "its header claims"},
      {"length 2^63 - 1", with((1ull << 63) - 1), "its header claims"},
      {"length 2^63", with(1ull << 63), "its header claims"},
      {"length 2^64 - 8", with(~0ull - 7), "its header claims"},
      {"length 2^64 - 1", with(~0ull), "its header claims"},
      {"length in big-endian order", "\0\0\0\0\0\0\0\x10"s + body, "its header claims"},
      {"header one byte over the limit",
       file_of("{" + std::string(kMostHeaderBytes - 1, ' ') + "}"),
       "more than the 16777216 this program takes"},
      {"empty", "", "it is empty"},
      {"one byte", "\x08", "it has only 1 byte, too few"},
      {"seven bytes", std::string(7, '\0'), "it has only 7 bytes"},
      {"a length and nothing else", length_bytes(2), "it has only 8 bytes"},
      {"a length and one brace", length_bytes(1) + "{", "its header has only 1 byte."},
      {"all zero", std::string(4096, '\0'), "its header has only 0 bytes"},
      {"all ones", std::string(4096, '\xff'), "its header claims"},
  };
}

std::vector<HostileFile> headers_that_are_no_json_object() {
  const std::string good = kGoodTensor;
  return {
      {"header is a list", file_of("[1,2]"), "does not begin with '{'"},
      {"header is a text", file_of("\"{}\""), "does not begin with '{'"},
      {"header is a number", file_of("12345"), "does not begin with '{'"},
      {"header begins with a space", file_of(" {\"w\":" + good + "}", 8),
       "does not begin with '{'"},
      {"header begins with a byte order mark", file_of("\xef\xbb\xbf{}"),
       "does not begin with '{'"},
      {"header ends with a tab", file_of("{\"w\":" + good + "}\t", 8), "does not end with '}'"},
      {"header ends with a line", file_of("{\"w\":" + good + "}\n", 8), "does not end with '}'"},
      {"header ends with a zero byte", file_of("{\"w\":" + good + "}\0"s, 8), "does not end"},
      {"two objects", file_of("{} {}"), "byte 4 of it is no valid JSON"},
      {"text after the object", file_of("{} x }"), "is no valid JSON"},
      {"one brace too many", file_of("{}}"), "is no valid JSON"},
      {"one brace too few", file_of("{\"w\":" + good, 8), "is no valid JSON"},
      {"comma at the end", file_of("{\"w\":" + good + ",}", 8), "is no valid JSON"},
      {"comma missing", file_of("{\"w\":" + good + "\"v\":" + good + "}", 8), "is no valid JSON"},
      {"comment", file_of("{/**/}"), "is no valid JSON"},
      {"single quotes", file_of("{'w':{}}"), "is no valid JSON"},
      {"key without quotes", file_of("{w:{}}"), "is no valid JSON"},
      {"zero byte within", file_of("{\0}"s), "is no valid JSON"},
      {"number as key", file_of("{1:{}}"), "is no valid JSON"},
      {"NaN", file_of("{\"w\":NaN}"), "is no valid JSON"},
      {"number beyond double", file_of("{\"w\":1e999}"), "is no valid JSON"},
      {"lists 100,000 deep", file_of("{\"w\":" + std::string(100000, '[') + "}"),
       "entry 'w' is a list"},
      {"objects 100,000 deep", file_of(repeated("{\"w\":", 100000) + "}"),
       "tensor 'w' has the unknown field 'w'"},
      {"metadata 100,000 deep", file_of("{\"__metadata__\":" + repeated("{\"a\":", 100000) + "}"),
       "metadata entry 'a' is an object"},
      {"entry is a number", file_of("{\"w\":1}"), "entry 'w' is the number 1"},
      {"entry is a text", file_of("{\"w\":\"F32\"}"), "entry 'w' is a text"},
      {"entry is null", file_of("{\"w\":null}"), "entry 'w' is null"},
      {"entry is true", file_of("{\"w\":true}"), "entry 'w' is a truth value"},
      {"entry is an empty object", file_of("{\"w\":{}}"), "tensor 'w' has no dtype"},
  };
}

std::vector<HostileFile> names() {
  const auto named = [](const std::string& name) {
    return file_of("{\"" + name + "\":" + kGoodTensor + "}", 8);
  };
  return {
      {"empty name", named(""), "a tensor without a name"},
      {"name of 1025 bytes", named(std::string(1025, 'n')), "is longer than 1024 bytes"},
      {"name of 1 MB", named(std::string(1000000, 'n')), "is longer than 1024 bytes"},
      {"name of 15 MB", named(std::string(15000000, 'n')), "a value of more than 4 MiB"},
      {"zero byte in a name, written out", named("a\\u0000b"), "name 'a?b' contains a zero byte"},
      {"zero byte in a name", named("a\0b"s), "is no valid JSON"},
      {"control character in a name", named("a\x01"), "is no valid JSON"},
      {"stray continuation byte", named("a\x80"), "is no valid JSON"},
      {"overlong zero", named("\xc0\x80"), "is no valid JSON"},
      {"overlong slash", named("\xe0\x80\xaf"), "is no valid JSON"},
      {"surrogate in bytes", named("\xed\xa0\x80"), "is no valid JSON"},
      {"code point too large", named("\xf4\x90\x80\x80"), "is no valid JSON"},
      {"character cut off", named("\xf0\x9f\x98"), "is no valid JSON"},
      {"half a surrogate pair", named("\\ud800"), "is no valid JSON"},
      {"surrogates the wrong way round", named("\\udc00\\ud800"), "is no valid JSON"},
      {"unknown escape", named("\\x41"), "is no valid JSON"},
      {"the same name twice", file_of("{\"w\":"s + kGoodTensor + ",\"w\":" + kGoodTensor + "}", 8),
       "tensor 'w' stands in it twice"},
      {"the same name twice, other type",
       file_of(
           "{\"w\":"s + kGoodTensor + R"(,"w":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})",
           8),
       "tensor 'w' stands in it twice"},
      {"the same name twice, other place",
       file_of(
           "{\"w\":"s + kGoodTensor + R"(,"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
           16),
       "tensor 'w' stands in it twice"},
      {"the same name twice, once escaped",
       file_of("{\"w\":"s + kGoodTensor +
                   R"(,"\u0077":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
               16),
       "tensor 'w' stands in it twice"},
      {"100,000 tensors", file_of("{" + entries(100000, kEmptyTensor) + "}"),
       "more than 65536 tensors"},
      {"65,537 tensors", file_of("{" + entries(65537, kEmptyTensor) + "}"),
       "more than 65536 tensors"},
  };
}

std::vector<HostileFile> metadata() {
  const auto with = [](const std::string& value) {
    return file_of("{\"__metadata__\":" + value + ",\"w\":" + kGoodTensor + "}", 8);
  };
  return {
      {"metadata is a text", with("\"a\""), "entry '__metadata__' is a text"},
      {"metadata is a list", with("[\"a\"]"), "entry '__metadata__' is a list"},
      {"metadata is null", with("null"), "entry '__metadata__' is null"},
      {"metadata is a number", with("7"), "entry '__metadata__' is the number 7"},
      {"metadata value is a number", with("{\"a\":1}"), "entry 'a' is the number 1"},
      {"metadata value is negative", with("{\"a\":-1}"), "entry 'a' is the number -1"},
      {"metadata value is a fraction", with("{\"a\":1.5}"), "entry 'a' is the number 1.5"},
      {"metadata value is true", with("{\"a\":true}"), "entry 'a' is a truth value"},
      {"metadata value is null", with("{\"a\":null}"), "entry 'a' is null"},
      {"metadata value is a list", with("{\"a\":[]}"), "entry 'a' is a list"},
      {"metadata value is an object", with("{\"a\":{}}"), "entry 'a' is an object"},
      {"metadata key twice", with("{\"a\":\"1\",\"b\":\"\",\"a\":\"2\"}"), "the key 'a' twice"},
      {"metadata key with a zero byte", with("{\"\\u0000\":\"\"}"), "contains a zero byte"},
      {"metadata key of 1025 bytes", with("{\"" + std::string(1025, 'k') + "\":\"\"}"),
       "longer than 1024 bytes"},
      {"metadata twice", with("{},\"__metadata__\":{}"), "it has __metadata__ twice"},
      {"metadata with 65,537 entries", with("{" + entries(65537, "\"\"") + "}"),
       "more than 65536 entries"},
      {"metadata with a million entries", with("{" + entries(1000000, "\"\"") + "}"),
       "more than 65536 entries"},
      {"metadata value not in UTF-8", with("{\"a\":\"\xff\"}"), "is no valid JSON"},
      {"metadata posing as a tensor", file_of("{\"__metadata__\":"s + kGoodTensor + "}", 8),
       "metadata entry 'shape' is a list"},
  };
}

std::vector<HostileFile> fields() {
  return {
      {"dtype missing", tensor_of(R"("shape":[2],"data_offsets":[0,8])"),
       "tensor 'w' has no dtype"},
      {"shape missing", tensor_of(R"("dtype":"F32","data_offsets":[0,8])"), "has no shape"},
      {"data_offsets missing", tensor_of(R"("dtype":"F32","shape":[2])"), "has no data_offsets"},
      {"dtype twice", tensor_of(R"("dtype":"F32","dtype":"I32","shape":[2],"data_offsets":[0,8])"),
       "tensor 'w' has dtype twice"},
      {"shape twice", tensor_of(R"("dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8])"),
       "tensor 'w' has shape twice"},
      {"data_offsets twice",
       tensor_of(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8])"),
       "tensor 'w' has data_offsets twice"},
      {"unknown field", tensor_of(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"stride":[1])"),
       "unknown field 'stride'"},
      {"field in capitals", tensor_of(R"("DTYPE":"F32","shape":[2],"data_offsets":[0,8])"),
       "unknown field 'DTYPE'"},
      {"dtype F8_E4M3", type_of("\"F8_E4M3\""), "type 'F8_E4M3', which this program does not know"},
      {"dtype in small letters", type_of("\"f32\""), "type 'f32'"},
      {"dtype with a space", type_of("\"F32 \""), "type 'F32 '"},
      {"dtype empty", type_of("\"\""), "type ''"},
      {"dtype with a zero byte", type_of("\"F32\\u0000\""), "type 'F32?'"},
      {"dtype of 1 MB", type_of("\"" + std::string(1000000, 'F') + "\""), "does not know"},
      {"dtype is a number", type_of("32"), "tensor 'w' has the number 32 as its dtype"},
      {"dtype is null", type_of("null"), "tensor 'w' has null as its dtype"},
      {"dtype is a list", type_of("[\"F32\"]"), "tensor 'w' has a list as its dtype"},
      {"dtype is an object", type_of("{}"), "tensor 'w' has an object as its dtype"},
  };
}

std::vector<HostileFile> shapes() {
  const std::string too_many = "more numbers than any computer holds";
  return {
      {"shape is a number", shape_of("2"), "tensor 'w' has the number 2 as its shape"},
      {"shape is a text", shape_of("\"2\""), "tensor 'w' has a text as its shape"},
      {"shape is null", shape_of("null"), "tensor 'w' has null as its shape"},
      {"shape is an object", shape_of("{}"), "tensor 'w' has an object as its shape"},
      {"negative axis", shape_of("[-2]"), "the number -2 in its shape"},
      {"axis of minus zero", shape_of("[-0]"), "in its shape"},
      {"two negative axes", shape_of("[-1,-2]"), "the number -1 in its shape"},
      {"axis of the lowest integer", shape_of("[-9223372036854775808]"), "in its shape"},
      {"fractional axis", shape_of("[2.5]"), "the number 2.5 in its shape"},
      {"axis 2.0", shape_of("[2.0]"), "the number 2.0 in its shape"},
      {"axis 2e0", shape_of("[2e0]"), "the number 2e0 in its shape"},
      {"axis 1e308", shape_of("[1e308]"), "the number 1e308 in its shape"},
      {"axis 1e999", shape_of("[1e999]"), "is no valid JSON"},
      {"axis is a text", shape_of("[\"2\"]"), "a text in its shape"},
      {"axis is null", shape_of("[null]"), "null in its shape"},
      {"axis is true", shape_of("[true]"), "a truth value in its shape"},
      {"axis is a list", shape_of("[[2]]"), "a list in its shape"},
      {"axis is an object", shape_of("[{}]"), "an object in its shape"},
      {"axis 2^63", shape_of("[9223372036854775808]"), "an axis of 9223372036854775808"},
      {"axis 2^64 - 1", shape_of("[18446744073709551615]"), "an axis of 18446744073709551615"},
      {"axis 2^64", shape_of("[18446744073709551616]"), "in its shape"},
      {"nine axes", shape_of("[1,1,1,1,1,1,1,1,2]"), "more than 8 axes"},
      {"a thousand axes", shape_of("[1" + repeated(",1", 999) + "]"), "more than 8 axes"},
      {"a million axes", shape_of("[1" + repeated(",1", 999999) + "]"), "more than 8 axes"},
      {"product wraps to 0", shape_of("[4294967296,4294967296]"), too_many},
      {"product wraps to 0 over three axes", shape_of("[2097152,2097152,4194304]"), too_many},
      {"product wraps to 2", shape_of("[6148914691236517206,3]"), too_many},
      {"bytes wrap to 0", shape_of("[4611686018427387904]"), too_many},
      {"bytes wrap to 8", shape_of("[4611686018427387906]"), too_many},
      {"bytes reach the sign", shape_of("[2305843009213693952]"), too_many},
      {"huge axes beside an empty one", shape_of("[0,4611686018427387904,4]"), too_many},
      {"empty axis, but numbers", shape_of("[0]"), "needs 0 bytes, but its data_offsets span 8"},
      {"single number, but two", shape_of("[]"), "needs 4 bytes, but its data_offsets span 8"},
      {"one number too many", shape_of("[3]"), "needs 12 bytes, but its data_offsets span 8"},
      {"one number too few", shape_of("[1]"), "needs 4 bytes, but its data_offsets span 8"},
  };
}

std::vector<HostileFile> places() {
  const std::int64_t half = std::int64_t{1} << 62;
  const std::string good = good_file();
  return {
      {"offsets are a number", offsets_of("8"), "the number 8 as its data_offsets"},
      {"offsets are a text", offsets_of("\"0,8\""), "a text as its data_offsets"},
      {"offsets are an object", offsets_of("{}"), "an object as its data_offsets"},
      {"offsets are null", offsets_of("null"), "null as its data_offsets"},
      {"no offsets", offsets_of("[]"), "0 data_offsets instead of two"},
      {"one offset", offsets_of("[8]"), "1 data_offsets instead of two"},
      {"three offsets", offsets_of("[0,8,8]"), "more than two data_offsets"},
      {"a million offsets", offsets_of("[0" + repeated(",8", 999999) + "]"), "more than two"},
      {"offsets reversed", offsets_of("[8,0]"), "run backwards, from 8 to 0"},
      {"negative offset", offsets_of("[-8,0]"), "the number -8 in its data_offsets"},
      {"fractional offset", offsets_of("[0,8.0]"), "the number 8.0 in its data_offsets"},
      {"offset 1e308", offsets_of("[0,1e308]"), "the number 1e308 in its data_offsets"},
      {"offset is a text", offsets_of("[0,\"8\"]"), "a text in its data_offsets"},
      {"offset is a list", offsets_of("[[0,8]]"), "a list in its data_offsets"},
      {"offset 2^64 - 1", offsets_of("[0,18446744073709551615]"), "data_offsets span"},
      {"offset 2^64", offsets_of("[0,18446744073709551616]"), "in its data_offsets"},
      {"offsets wrap", offsets_of("[18446744073709551612,4]"), "run backwards"},
      {"offsets far away", offsets_of("[18446744073709551607,18446744073709551615]"),
       "a gap of 18446744073709551607 bytes"},
      {"gap before the first tensor", offsets_of("[1,9]"), "a gap of 1 bytes before tensor 'w'"},
      {"end past the file", file_of("{\"w\":"s + kGoodTensor + "}", 7), "1 bytes are missing"},
      {"no numbers at all", file_of("{\"w\":"s + kGoodTensor + "}", 0), "8 bytes are missing"},
      {"one byte left over", good + "x", "1 bytes follow after the last tensor"},
      {"bytes without a tensor", file_of("{}", 8), "8 bytes follow after the last tensor"},
      {"a zip archive behind it", good + "PK\x03\x04" + std::string(60, 'z'), "64 bytes follow"},
      {"a web page behind it", good + "<html><script>x()</script></html>", "33 bytes follow"},
      {"the same place twice", two_at(0, 8, 0, 8, 8), "tensor 'b' overlaps another one"},
      {"overlap by one byte", two_at(0, 5, 4, 8, 8), "tensor 'b' overlaps another one"},
      {"one inside the other", two_at(0, 8, 2, 4, 8), "tensor 'b' overlaps another one"},
      {"overlap, listed backwards", two_at(4, 8, 0, 5, 8), "tensor 'a' overlaps another one"},
      {"gap between two", two_at(0, 3, 4, 8, 8), "a gap of 1 bytes before tensor 'b'"},
      {"empty tensor inside another", two_at(0, 8, 4, 4, 8), "tensor 'b' overlaps another one"},
      {"empty tensor past the end", two_at(0, 8, 9, 9, 8), "a gap of 1 bytes"},
      {"sum of the sizes wraps", two_at(0, half, half, half + (half - 1), 8), "bytes are missing"},
      {"larger than any disk", two_at(0, half, half, half + 8, 8), "bytes are missing"},
  };
}

/// Files of other kinds, each recognised by its first bytes.
std::vector<HostileFile> foreign_files() {
  const std::string filler(200, '\x05');
  return {
      {"PyTorch zip", "PK\x03\x04\x00\x00\x08\x08"s + filler, "it is a zip archive, as PyTorch"},
      {"empty zip", "PK\x05\x06"s + std::string(18, '\0'), "it is a zip archive"},
      {"pickle 2", "\x80\x02}q\x00."s, "it is a Python pickle"},
      {"pickle 3", "\x80\x03}q\x00."s + filler, "it is a Python pickle"},
      {"pickle 4", "\x80\x04\x95"s + filler, "it is a Python pickle"},
      {"pickle 5", "\x80\x05\x95"s + filler, "it is a Python pickle"},
      {"old PyTorch", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9"s + filler, "it is a Python pickle"},
      {"GGUF", "GGUF\x03\0\0\0"s + filler, "it is a GGUF file"},
      {"GGUF of 43 bytes", "GGUF\x03\0\0\0"s + std::string(35, '\xff'), "it is a GGUF file"},
      {"old ggml", "lmgg"s + filler, "it is a GGUF file"},
      {"ONNX", "\x08\x07\x12\x07pytorch"s + filler, "it is an ONNX model"},
      {"HDF5", "\x89HDF\r\n\x1a\n"s + filler, "it is an HDF5 file"},
      {"NumPy", "\x93NUMPY\x01\0v\0"s + filler, "it is a NumPy array"},
      {"gzip", "\x1f\x8b\x08\0\0\0\0\0\0\x03"s + filler, "it is compressed"},
      {"xz",
       "\xfd"
       "7zXZ\0\0\x04"s +
           filler,
       "it is compressed"},
      {"zstd", "\x28\xb5\x2f\xfd\x04\0\0\0\0"s + filler, "it is compressed"},
      {"bzip2", "BZh91AY&SY"s + filler, "it is compressed"},
      {"program",
       "\x7f"
       "ELF\x02\x01\x01\0\0"s +
           filler,
       "it is a program"},
      {"Windows program", "MZ\x90\0\x03\0\0\0\x04"s + filler, "it is a program"},
      {"web page", "<!DOCTYPE html><html>"s + filler, "it is a web page"},
      {"web page in capitals", "\r\n  <HTML><HEAD>"s + filler, "it is a web page"},
      {"XML", "<?xml version=\"1.0\"?>"s + filler, "it is a web page"},
      {"Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n",
       "it is a Git LFS pointer"},
      {"JSON settings", "{\"model_type\": \"xlstm\"}", "it is a JSON text"},
      {"JSON list", "[1, 2, 3, 4, 5, 6]", "it is a JSON text"},
      {"text with a byte order mark", "\xef\xbb\xbfOnce upon a time", "it is a text file"},
      {"plain text", "Once upon a time there was a model.", "it is a text file"},
      {"text with umlauts and tabs", "M\xc3\xa4rchen\tund\r\nmehr", "it is a text file"},
      {"text with a stray zero", "Once upon a time\0"s + filler, "its header claims"},
      {"short text", "Once", "it has only 4 bytes"},
      {"PNG", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s + filler, "its header claims"},
  };
}

std::vector<HostileFile> all_hostile_files() {
  std::vector<HostileFile> all;
  for (const auto& list : {header_lengths(), headers_that_are_no_json_object(), names(), metadata(),
                           fields(), shapes(), places(), foreign_files()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

/// What reading says, or "(accepted)"; anything but an Error escapes and fails the test.
template <typename Read>
std::string refusal(Read read) {
  try {
    read();
  } catch (const Error& error) {
    return error.what();
  }
  return "(accepted)";
}

TEST(HostileSafetensors, EveryKnownDisasterIsRefusedWithItsOwnSentence) {
  const TemporaryFolder folder;
  const auto path = folder / "stranger.safetensors";
  const std::vector<HostileFile> files = all_hostile_files();
  EXPECT_GE(files.size(), 200u);
  std::set<std::string> seen;
  for (const HostileFile& file : files) {
    SCOPED_TRACE(file.name);
    EXPECT_TRUE(seen.insert(file.name).second) << "listed twice";
    put_file(path, file.bytes);
    std::string sentence;
    const double work = work_of([&] { sentence = refusal([&] { read_safetensors(path); }); });
    EXPECT_THAT(sentence, HasSubstr(file.complaint));
    EXPECT_THAT(sentence, testing::StartsWith("Cannot read '" + path.string() + "': "));
    EXPECT_EQ(sentence.back(), '.');
    EXPECT_LT(sentence.size(), 600u);
    EXPECT_LE(work, kMostWork);

    const auto bytes = std::as_bytes(std::span(file.bytes));
    EXPECT_EQ(refusal([&] { parse_safetensors(bytes, path.string()); }), sentence);
  }
}

/// One line of /proc/self/status, in KiB.
long status_kib(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    long value = 0;
    if (word == key && status >> value) return value;
  }
  return 0;
}

TEST(HostileSafetensors, TheLargestHeadersTakeLittleTimeAndMemory) {
  if (kSanitized) GTEST_SKIP() << "A sanitizer has a memory of its own.";
  const TemporaryFolder folder;
  const std::size_t most = kMostHeaderBytes;
  const std::string value = "{\"__metadata__\":{\"a\":\"" + std::string(most - 40, 'x') + "\"}}";
  std::string values = "{\"__metadata__\":{";
  for (int i = 0; i < 4; ++i) {
    values += fmt::format("{}\"{}\":\"{}\"", i == 0 ? "" : ",", i,
                          std::string(kMostValueBytes - 20, 'v'));
  }
  values += "}}";
  std::string long_names = "{";
  for (int i = 0; long_names.size() < most - 2000; ++i) {
    long_names += fmt::format("\"{:01000}\":{},", i, kEmptyTensor);
  }
  long_names.back() = '}';
  const std::vector<std::pair<std::string, std::string>> files = {
      {"spaces", file_of("{" + std::string(most - 2, ' ') + "}")},
      {"zeros in a number", file_of("{\"w\":" + std::string(most - 10, '1') + "}")},
      {"one metadata value", file_of(value)},
      {"metadata values as long as allowed", file_of(values)},
      {"damaged at the end", file_of(values.substr(0, values.size() - 4) + "\xff\"}}")},
      {"one damaged metadata value", file_of(value.substr(0, value.size() - 4) + "\xff\"}}")},
      {"one endless metadata value", file_of(value.substr(0, value.size() - 4) + "}}")},
      {"one wrong word", file_of("{\"w\":n" + std::string(most - 10, 'u') + "}")},
      {"65,536 tensors", file_of("{" + entries(65536, kEmptyTensor) + "}")},
      {"long names", file_of(long_names)},
      {"a long name", file_of("{\"" + std::string(most - 100, 'n') + "\":" + kGoodTensor + "}", 8)},
      {"65,536 metadata entries", file_of("{\"__metadata__\":{" + entries(65536, "\"\"") + "}}")},
  };
  for (const auto& [name, bytes] : files) {
    SCOPED_TRACE(name);
    const auto path = folder / "large.safetensors";
    put_file(path, bytes);
    const pid_t child = ::fork();
    if (child == 0) {
      ::malloc_trim(0);
      std::ofstream("/proc/self/clear_refs") << 5;  // forgets the peak so far
      const long before_kib = status_kib("VmRSS:");
      const double work = work_of([&] { (void)refusal([&] { read_safetensors(path); }); });
      const long grown_mib = (status_kib("VmHWM:") - before_kib) / 1024;
      const long allowed_mib = 64 + static_cast<long>(bytes.size() >> 20);
      ::_exit(work > kMostWorkOfLargeHeaders ? 1 : grown_mib > allowed_mib ? 2 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "1: too much work, 2: too much memory";
  }
}

TEST(HostileSafetensors, WhatIsNoFileIsRefusedAtOnce) {
  const TemporaryFolder folder;
  const auto fifo = folder / "fifo", loop = folder / "loop", dangling = folder / "dangling";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_symlink(loop, loop);
  std::filesystem::create_symlink("nowhere", dangling);
  const auto socket_path = folder / "socket";
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  const std::vector<std::pair<std::filesystem::path, std::string>> cases = {
      {folder.path(), "it is a folder, not a file"},
      {fifo, "it is a pipe, not a file"},
      {socket_path, "Cannot read"},
      {"/dev/zero", "it is a device, not a file"},
      {"/dev/null", "it is a device, not a file"},
      {"/proc/self/mem", "Cannot read '/proc/self/mem'"},
      {loop, "Too many levels of symbolic links"},
      {dangling, "No such file or directory"},
      {folder / "missing", "No such file or directory"},
      {folder / std::string(300, 'n'), "File name too long"},
      {"", "No such file or directory"},
  };
  for (const auto& [path, why] : cases) {
    SCOPED_TRACE(path);
    std::string sentence;
    EXPECT_LE(work_of([&, &file = path] { sentence = refusal([&] { read_safetensors(file); }); }),
              kMostWork);
    EXPECT_THAT(sentence, HasSubstr(why));
  }
  ::close(socket);

  if (::geteuid() != 0) {
    const auto locked = folder / "locked";
    put_file(locked, good_file());
    ::chmod(locked.c_str(), 0);
    EXPECT_THAT(refusal([&] { read_safetensors(locked); }), HasSubstr("Permission denied"));
  }
}

TEST(HostileSafetensors, SparseGiantsAreRefusedBeforeTheyAreRead) {
  const TemporaryFolder folder;
  const auto path = folder / "giant.safetensors";
  const std::int64_t size = std::int64_t{4} << 40;
  const auto giant = [&](const std::string& start) {
    put_file(path, start);
    return ::truncate(path.c_str(), size) == 0;
  };
  if (!giant("")) GTEST_SKIP() << "This file system has no files of 4 TiB.";
  const auto refuses = [&](const std::string& why) {
    std::string sentence;
    EXPECT_LE(work_of([&] { sentence = refusal([&] { read_safetensors(path); }); }), kMostWork);
    EXPECT_THAT(sentence, HasSubstr(why));
  };
  refuses("its header has only 0 bytes");
  ASSERT_TRUE(giant(good_file()));
  refuses("bytes follow after the last tensor");
  ASSERT_TRUE(giant(length_bytes(static_cast<std::uint64_t>(size) - 8) + "{"));
  refuses("more than the 16777216");

  // A sound file, larger than the memory of the computer.
  std::string header;
  std::int64_t data = size;
  do {
    data = size - 8 - static_cast<std::int64_t>(header.size());
    header = fmt::format(R"({{"w":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}})", data);
  } while (data != size - 8 - static_cast<std::int64_t>(header.size()));
  ASSERT_TRUE(giant(length_bytes(header.size()) + header));
  refuses("do not fit into the memory of this computer");
}

/// A small sound file with several types and metadata, as bytes, and where its free text stands.
std::string small_file(const TemporaryFolder& folder) {
  const auto path = folder / "small.safetensors";
  write_safetensors(
      path,
      {stored<float>("block.0.weight", {2, 3}, {1, 2, 3, 4, 5, 6}),
       stored<double>("norm", {2}, {0.5, -0.5}), stored<std::int64_t>("tokens", {3}, {1, 2, 3}),
       stored<std::uint8_t>("text", {5}, {'h', 'e', 'l', 'l', 'o'}),
       stored<float>("scalar", {}, {3.f}), stored<float>("empty", {0, 2}, {})},
      {{"format", "xlab"}, {"step", "120"}});
  return bytes_of_file(path);
}

TEST(HostileSafetensors, EveryTruncationIsRefused) {
  const TemporaryFolder folder;
  const std::string whole = small_file(folder);
  const auto path = folder / "cut.safetensors";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const std::string sentence =
        refusal([&] { parse_safetensors(std::as_bytes(std::span(cut)), path.string()); });
    ASSERT_NE(sentence, "(accepted)") << size;
    put_file(path, cut);
    ASSERT_EQ(refusal([&] { read_safetensors(path); }), sentence) << size;
  }
  EXPECT_EQ(refusal([&] { parse_safetensors(std::as_bytes(std::span(whole)), "whole"); }),
            "(accepted)");
}

TEST(HostileSafetensors, EveryFlippedBitIsRefusedOrChangesOnlyANameOrANote) {
  const TemporaryFolder folder;
  const std::string whole = small_file(folder);
  const SafetensorsFile original = parse_safetensors(std::as_bytes(std::span(whole)), "whole");
  std::uint64_t length = 0;
  std::memcpy(&length, whole.data(), 8);
  int accepted = 0;
  for (std::size_t bit = 0; bit < (8 + length) * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    try {
      const SafetensorsFile file = parse_safetensors(std::as_bytes(std::span(flipped)), "flipped");
      ++accepted;
      ASSERT_EQ(file.tensors().size(), original.tensors().size()) << bit;
      int renamed = file.metadata() != original.metadata() ? 1 : 0;
      for (const StoredTensor& tensor : file.tensors()) {
        // The place decides which tensor this was; of two at one place, one is empty.
        const auto same = std::ranges::find_if(original.tensors(), [&](const StoredTensor& other) {
          const bool as_long =
              other.shape == tensor.shape || (other.elements() == 0 && tensor.elements() == 0);
          return other.type == tensor.type && as_long &&
                 std::ranges::equal(other.bytes, tensor.bytes);
        });
        ASSERT_NE(same, original.tensors().end()) << bit;
        renamed += same->name != tensor.name ? 1 : 0;
      }
      EXPECT_LE(renamed, 1) << bit;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(HostileSafetensors, RandomDamageNeverDoesMore) {
  const TemporaryFolder folder;
  const std::string whole = small_file(folder);
  std::uint64_t state = 1;
  const auto random = [&](std::size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  const std::vector<std::string> pieces = {"{",
                                           "}",
                                           "[",
                                           "]",
                                           ",",
                                           ":",
                                           "\"",
                                           "0",
                                           "-1",
                                           "1e9",
                                           "18446744073709551615",
                                           "null",
                                           "\"w\"",
                                           "\\u0000",
                                           "\"dtype\"",
                                           "\"F32\"",
                                           "\xff",
                                           " "};
  const int rounds = kSanitized ? 20000 : 100000;
  for (int round = 0; round < rounds; ++round) {
    std::string damaged = whole;
    for (std::size_t edits = 1 + random(3); edits > 0; --edits) {
      const std::size_t at = random(damaged.size());
      switch (random(4)) {
        case 0:
          damaged[at] = static_cast<char>(random(256));
          break;
        case 1:
          damaged.erase(at, 1 + random(8));
          break;
        case 2:
          damaged.insert(at, pieces[random(pieces.size())]);
          break;
        default:
          damaged.insert(at, damaged.substr(random(damaged.size()), random(40)));
      }
      if (damaged.size() > 8 && random(2) == 0) {  // keep the length right, to come further
        const std::uint64_t length = damaged.rfind('}') - 7;
        std::memcpy(damaged.data(), &length, 8);
      }
    }
    (void)refusal([&] {
      const SafetensorsFile file = parse_safetensors(std::as_bytes(std::span(damaged)), "damaged");
      for (const StoredTensor& tensor : file.tensors()) {
        (void)file.tensor(tensor.name, DType::f64).elements();
      }
    });
  }
}

}  // namespace
}  // namespace xlab::tests
