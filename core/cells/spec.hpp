// What each kind of block of the paper's family has in a specification; for spec.cpp and what names
// a model only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/spec.hpp"
#include "core/what_was_read.hpp"

namespace xlab {

/// The mLSTM blocks: "mlstm_block". `keys`, here and below: see SpecReader.
namespace mlstm {
void read(const nlohmann::json& block, ReadKeys* keys, ModelSpec& spec);
nlohmann::json as_json(const ModelSpec& spec);
void check_sizes(const ModelSpec& spec);
/// Of one block, without the norm before it.
double parameter_count(const ModelSpec& spec);
/// Numbers on the tape for one token of one block.
double numbers_per_token(const ModelSpec& spec);
/// Numbers of a memory that a format of choice keeps for every step and head.
double memory_kept(const ModelSpec& spec);
}  // namespace mlstm

/// The sLSTM blocks and their feed-forward layers: "slstm_block". What these remember with may be
/// the memory of another cell.
namespace slstm {
void read(const nlohmann::json& block, ReadKeys* keys, ModelSpec& spec);
nlohmann::json as_json(const ModelSpec& spec);
/// Adds the layout in which recurrent kernels are stored here, for other programs.
void write_layout(nlohmann::json& block);
void check_sizes(const ModelSpec& spec);
double parameter_count(const ModelSpec& spec);
double numbers_per_token(const ModelSpec& spec);
/// What a model's name says of it beside the numbers of blocks: ", LSTM for sLSTM", or nothing.
std::string name_of_memory(const ModelSpec& spec);
}  // namespace slstm

}  // namespace xlab
