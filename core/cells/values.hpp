// What can be seen of each cell, for some choice of its equations. Standard types only.
#pragma once

#include "core/value.hpp"
#include "core/variant.hpp"

namespace xlab {

CellValues mlstm_values(const CellVariant& variant);
/// The large family's mLSTM.
CellValues large_values(const CellVariant& variant);
/// Of the sLSTM, or of another memory behind its gates.
CellValues slstm_values(const CellVariant& variant,
                        kernels::ScalarMemory memory = kernels::ScalarMemory::slstm);

}  // namespace xlab
