// The `onnx` dialect: its types, attributes, and the base class of the op
// definitions in ops/, which dialect/schema/generate.py writes.

#ifndef OMB_DIALECT_IR_ONNX_TD
#define OMB_DIALECT_IR_ONNX_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Onnx_Dialect : Dialect {
  let name = "onnx";
  let cppNamespace = "::omb::onnx";
  let summary = "Every operator of ONNX, as ops on tensors";
  let description = [{
    One op per operator of the default domain (`onnx.Conv`) and of `ai.onnx.ml`
    (`onnx.ml.Scaler`), in the newest version of the standard. The importer
    upgrades older models. All ops share one assembly format:

    ```mlir
    %y = onnx.Clip(%x, none, %max) : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
    ```

    An absent optional operand is written `none`, and left out at the end of
    the list; an absent optional result has the type `none`. Graph attributes
    are regions that end in `onnx.Yield`.

    Signed integers are signless in MLIR (`i8`), unsigned ones are `ui8`, and
    bool is `i1`. A tensor type's encoding `#onnx.dims<"batch", ?>` names its
    dynamic dimensions.
  }];
  let dependentDialects = ["::mlir::sparse_tensor::SparseTensorDialect"];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    // One function a family, so that each compiles by itself.
#define OMB_OP_FAMILY(NAME) void register##NAME##Ops();
#include "dialect/ir/OpFamilies.def"
#undef OMB_OP_FAMILY
  }];
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

class Onnx_TypeDef<string name, string mnemonic_, list<Trait> traits = []>
    : TypeDef<Onnx_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

def Onnx_StringType : Onnx_TypeDef<"String", "string"> {
  let summary = "element type of tensor(string): UTF-8 text of any length";
}

def Onnx_SeqType : Onnx_TypeDef<"Seq", "seq"> {
  let summary = "seq(T): a list of values of one type";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
  let builders = [TypeBuilderWithInferredContext<
      (ins "::mlir::Type":$elementType),
      [{ return $_get(elementType.getContext(), elementType); }]>];
}

def Onnx_OptionalType : Onnx_TypeDef<"Optional", "optional"> {
  let summary = "optional(T): a value of type T, or none";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
  let builders = [TypeBuilderWithInferredContext<
      (ins "::mlir::Type":$elementType),
      [{ return $_get(elementType.getContext(), elementType); }]>];
}

def Onnx_MapType : Onnx_TypeDef<"Map", "map"> {
  let summary = "map(K, V): a dictionary";
  let parameters = (ins "::mlir::Type":$keyType, "::mlir::Type":$valueType);
  let assemblyFormat = "`<` $keyType `,` $valueType `>`";
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Onnx_DimsAttr : AttrDef<Onnx_Dialect, "Dims",
    [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "dims";
  let summary = "names of a tensor type's dynamic dimensions";
  let description = [{
    The encoding of a tensor type. One entry per dimension: the name of its
    size, or `?` where the size is static or has no name. Two dimensions with
    the same name have the same size in every run of the model.

    ```mlir
    tensor<?x?x768xf32, #onnx.dims<"batch", "sequence", ?>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names);
  let hasCustomAssemblyFormat = 1;
}

// The builtin attributes with signed and plain C++ accessors.
def Onnx_IntAttr : TypedSignlessIntegerAttrBase<I64, "int64_t", "64-bit integer attribute"> {
  let convertFromStorage = "$_self.getValue().getSExtValue()";
}
def Onnx_FloatAttr : FloatAttrBase<F32, "32-bit float attribute"> {
  let returnType = "float";
  let convertFromStorage = "$_self.getValue().convertToFloat()";
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

// A value type that an operator allows: `set` initializes a TypeSet
// (Signature.h), `words` spells it for diagnostics.
class Onnx_Type<string words, string set>
    : Type<CPred<"::omb::onnx::contains({" # set # "}, $_self)">, words>;

// What keeps CSE from merging two random ops, and still lets unused ones go.
def Onnx_RandomState : Resource<"::omb::onnx::RandomState">;

def Onnx_SignatureOpInterface : OpInterface<"SignatureOpInterface"> {
  let cppNamespace = "::omb::onnx";
  let description = "An op that was generated from an operator's schema.";
  let methods = [StaticInterfaceMethod<
      "The operator's formal parameters.",
      "const ::omb::onnx::OpSignature &", "getSignature">];
}

class Onnx_Op<string mnemonic, list<Trait> traits, string signature>
    : Op<Onnx_Dialect, mnemonic,
         traits # [DeclareOpInterfaceMethods<Onnx_SignatureOpInterface>]> {
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  string onnxDefinition = [{
    const ::omb::onnx::OpSignature &$cppClass::getSignature() {
      static const ::omb::onnx::OpSignature signature{
    }] # signature # [{};
      return signature;
    }
    ::mlir::ParseResult $cppClass::parse(::mlir::OpAsmParser &parser,
                                         ::mlir::OperationState &result) {
      return ::omb::onnx::parseOp(parser, result, getSignature());
    }
    void $cppClass::print(::mlir::OpAsmPrinter &printer) {
      ::omb::onnx::printOp(printer, *this, getSignature());
    }
    ::llvm::LogicalResult $cppClass::verify() {
      return ::omb::onnx::verifyTypeVariables(*this, getSignature());
    }
  }];
  let extraClassDefinition = onnxDefinition;
}

#endif // OMB_DIALECT_IR_ONNX_TD
