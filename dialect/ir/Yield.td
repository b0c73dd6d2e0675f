#ifndef OMB_DIALECT_IR_YIELD_TD
#define OMB_DIALECT_IR_YIELD_TD

include "dialect/ir/Onnx.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def Onnx_YieldOp : Op<Onnx_Dialect, "Yield", [Pure, ReturnLike, Terminator]> {
  let summary = "the outputs of a graph attribute";
  let description = [{
    Ends the region that a graph attribute (a branch of If, the body of Loop,
    Scan or SequenceMap) became; its operands are the graph's outputs.
  }];
  let arguments = (ins Variadic<AnyType>:$outputs);
  let assemblyFormat = "($outputs^ `:` type($outputs))? attr-dict";
}

#endif // OMB_DIALECT_IR_YIELD_TD
