// What a file or a folder holds, and whether it opens: everything that can be said without
// computing anything with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/snapshot.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

enum class PlaceKind : std::uint8_t {
  model_folder,
  folder,   ///< one without a model
  run,      ///< a *.xlab file of one run
  bench,    ///< of several
  tensors,  ///< a safetensors file that is no run
  text,     ///< something to learn
  foreign,  ///< a file of another program, or of none
  missing   ///< there is nothing, or nothing that may be read
};
/// "model_folder", "folder", ...
const char* name_of(PlaceKind kind);

/// Numbers that are stored in one type.
struct InspectedWeights {
  std::string type;  ///< "F32", "BF16", ...
  std::int64_t tensors = 0, numbers = 0, bytes = 0;
};

struct InspectedFile {
  std::string name;
  std::int64_t bytes = 0;
  bool read = false;  ///< opening reads it
};

struct InspectedTokenizer {
  std::string kind;   ///< "bpe", "words", "bytes", "characters"
  std::string title;  ///< "byte-level BPE, 50277 tokens"
  int tokens = 0;
  int beyond_model = 0;  ///< tokens that the model does not know
};

/// A token that ends a text.
struct InspectedEnd {
  int token = 0;
  std::string text;               ///< as its vocabulary shows it
  std::vector<std::string> from;  ///< files that name it, or "specification", or "assumed"
};

/// What the weights of a large model's folder take in memory, in bytes, while it is only read.
struct InspectedMemory {
  std::int64_t as_stored = 0, in_8_bits = 0, in_4_bits = 0;
};

/// What a forecasting model reads and puts out.
struct InspectedSeries {
  int patch = 0, context = 0, future = 0;  ///< numbers of a patch; looked back on; foretold
  std::vector<double> quantiles;
};

/// A model, as far as its place tells of it.
struct InspectedModel {
  std::string run;     ///< name of the run; empty for one of a folder
  std::string title;   ///< "xLSTM [7:1]"
  std::string family;  ///< "paper", "large" or "forecasting"
  std::vector<BlockCard> blocks;
  int width = 0, vocabulary = 0, context_length = 0;
  bool tied = false;
  std::int64_t parameters = 0;
  std::int64_t state_bytes = 0;  ///< what a sequence carries from token to token
  std::vector<InspectedWeights> weights;
  std::optional<InspectedSeries> series;  ///< of a forecasting model
  std::optional<InspectedTokenizer> tokenizer;
  std::string
      tokenizer_problem;  ///< why there is none, as a sentence, where there is a file of one
  int padded_rows = 0;    ///< of the vocabulary, past the tokens that stand for something
  std::vector<InspectedEnd> ends;
  std::optional<InspectedMemory> memory;  ///< nothing where all models of its kind are trained
  std::string cannot_train;  ///< why not, on this computer; empty when it can be trained
  std::string data;          ///< of a run: what it is trained on
  std::int64_t steps = 0;    ///< of a run: training steps done
};

struct InspectedText {
  bool utf8 = false;
  std::int64_t characters = 0;  ///< 0 where it is no UTF-8
};

/// All sentences are those of the program where it opens, or does not open, the place.
struct Inspection {
  std::string path;
  PlaceKind kind = PlaceKind::missing;
  std::string why;                   ///< why it does not open; empty when it does
  std::int64_t bytes = 0;            ///< on disk, of what is read
  std::vector<InspectedFile> files;  ///< of a folder
  /// One of a folder and of a run, several of a bench. Also where it does not open, as far as that
  /// is known.
  std::vector<InspectedModel> models;
  std::vector<InspectedWeights> tensors;  ///< of a file of tensors
  std::optional<InspectedText> text;
  std::shared_ptr<const WhatWasRead> reading;  ///< of a folder; null for others
  std::vector<std::string> odd;                ///< sentences
};

/// Looks at a place. Of folders headers are read, and what small files there are; runs and texts
/// are read whole. Throws nothing that opening would not: what is wrong is in `why`.
Inspection inspect(const std::filesystem::path& path);

}  // namespace xlab
