// Recording and repeating on CUDA devices, with CUDA graphs.
#include "kernels/device/graph_cuda.hpp"

#include "kernels/device/cuda.cuh"

namespace xlab::cuda {

void begin_recording() {
  set_recording(true);
  // Relaxed: fresh memory may be asked for meanwhile.
  const cudaError_t result = cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed);
  if (result != cudaSuccess) set_recording(false);
  check_call("cudaStreamBeginCapture", result);
}

void* end_recording(bool keep) {
  cudaGraph_t graph = nullptr;
  cudaError_t result = cudaStreamEndCapture(stream(), &graph);
  set_recording(false);
  cudaGraphExec_t executable = nullptr;
  if (result == cudaSuccess && keep) {
#if CUDART_VERSION >= 12000
    result = cudaGraphInstantiate(&executable, graph, 0);
#else
    result = cudaGraphInstantiateWithFlags(&executable, graph, 0);
#endif
  }
  if (graph != nullptr) cudaGraphDestroy(graph);
  if (keep) {
    check_call("cudaGraphInstantiate", result);
  } else {
    cudaGetLastError();
  }
  return executable;
}

void repeat(void* recording) {
  check_call("cudaGraphLaunch", cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), stream()));
}

void discard(void* recording) {
  if (cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording)) != cudaSuccess)
    cudaGetLastError();
}

}  // namespace xlab::cuda
