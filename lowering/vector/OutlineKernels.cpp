//===- OutlineKernels.cpp - omb-outline-kernels ---------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/ChannelShuffle.h"
#include "lowering/vector/ColumnReduction.h"
#include "lowering/vector/Outliner.h"
#include "lowering/vector/PackedContraction.h"
#include "lowering/vector/RowKernel.h"
#include "lowering/vector/SparseContraction.h"
#include "lowering/vector/StreamedContraction.h"
#include "lowering/vector/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_OUTLINEKERNELS
#include "lowering/Passes.h.inc"
} // namespace omb

//===----------------------------------------------------------------------===//
// What is around products and transforms
//===----------------------------------------------------------------------===//

/// Adds what an epilogue, which may be null, reads besides `product`.
static void addOthers(linalg::GenericOp epilogue, Value product,
                      SmallVectorImpl<Value> &tensors) {
  if (!epilogue)
    return;
  for (Value operand : epilogue.getDpsInputs())
    if (operand != product && !llvm::is_contained(tensors, operand))
      tensors.push_back(operand);
}

static void cloneEpilogue(OpBuilder &builder, linalg::GenericOp epilogue,
                          IRMapping &map, ValueRange sizes) {
  if (!epilogue)
    return;
  if (!map.contains(epilogue.getDpsInits()[0]))
    mapEmpty(builder, epilogue.getDpsInits()[0], sizes, map);
  cloneConstants(builder, epilogue, map);
  builder.clone(*epilogue, map);
}

static void clonePadding(OpBuilder &builder, tensor::PadOp pad,
                         IRMapping &map) {
  if (!pad)
    return;
  Value value = pad.getConstantPaddingValue();
  builder.clone(*value.getDefiningOp(), map);
  builder.clone(*pad, map);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// What the kernel reads: the input, the panels, and the epilogue's others.
static SmallVector<Value> getTensors(const PackedContraction &contraction) {
  SmallVector<Value> tensors{contraction.getInput()};
  auto decode = contraction.decode;
  if (decode)
    llvm::append_range(tensors, decode.getDpsInputs());
  else if (!contraction.isPool())
    tensors.push_back(contraction.getPanels());
  auto unpack = contraction.unpack;
  addOthers(contraction.epilogue, unpack.getResult(), tensors);
  return tensors;
}

/// The padding and the packing of the input.
static void cloneInput(OpBuilder &builder, const PackedContraction &contraction,
                       IRMapping &map) {
  clonePadding(builder, contraction.pad, map);
  auto pack = contraction.pack;
  if (!pack)
    return;
  builder.clone(*pack.getPaddingValue().getDefiningOp(), map);
  map.map(pack.getDest(),
          linalg::PackOp::createDestinationTensor(
              builder, pack.getLoc(), map.lookup(pack.getSource()),
              pack.getMixedTiles(), pack.getInnerDimsPos(),
              pack.getOuterDimsPerm()));
  builder.clone(*pack, map);
}

/// The sums of a packed product, once their memory and input are mapped, and
/// what is done to them.
template <typename Contraction>
static void cloneSums(OpBuilder &builder, const Contraction &contraction,
                      IRMapping &map, ValueRange sizes) {
  auto fill = contraction.fill;
  auto product = contraction.product;
  auto unpack = contraction.unpack;
  cloneConstants(builder, fill, map);
  builder.clone(*fill, map);
  cloneConstants(builder, product, map);
  builder.clone(*product, map);
  if (unpack) {
    mapEmpty(builder, unpack.getDest(), sizes, map);
    builder.clone(*unpack, map);
  }
  cloneEpilogue(builder, contraction.epilogue, map, sizes);
}

static void cloneProduct(OpBuilder &builder,
                         const PackedContraction &contraction, IRMapping &map,
                         ValueRange sizes) {
  auto fill = contraction.fill;
  auto decode = contraction.decode;
  mapEmpty(builder, fill.output(), sizes, map);
  cloneInput(builder, contraction, map);
  if (contraction.isPool())
    mapEmpty(builder, contraction.getPanels(), {}, map);
  if (decode) {
    mapEmpty(builder, decode.getDpsInits()[0], {}, map);
    cloneConstants(builder, decode, map);
    builder.clone(*decode, map);
  }
  cloneSums(builder, contraction, map, sizes);
}

static void erase(const PackedContraction &contraction) {
  if (auto epilogue = contraction.epilogue)
    epilogue->erase();
  auto unpack = contraction.unpack;
  auto product = contraction.product;
  auto pack = contraction.pack;
  auto pad = contraction.pad;
  auto decode = contraction.decode;
  unpack->erase();
  product->erase();
  // Others may read them or ask for their sizes.
  for (Operation *op :
       {pack.getOperation(), pad.getOperation(), decode.getOperation()})
    if (op && op->use_empty())
      op->erase();
}

static void outline(Outliner &outliner, const PackedContraction &contraction) {
  auto unpack = contraction.unpack;
  Value result = contraction.getResult();
  KernelSource source{
      contraction.product->getLoc(),
      getTensors(contraction),
      /*indices=*/{},
      result,
      getSizes(result.getDefiningOp(), unpack.getDest()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        cloneProduct(builder, contraction, map, sizes);
      }};
  outliner.outline(source);
  erase(contraction);
}

static void outline(Outliner &outliner,
                    const StreamedContraction &contraction) {
  SmallVector<PackedContraction> parts = contraction.getParts();
  SmallVector<Value> tensors, between;
  SmallVector<Location> places;
  for (const PackedContraction &part : parts) {
    for (Value tensor : getTensors(part))
      if (!llvm::is_contained(between, tensor) &&
          !llvm::is_contained(tensors, tensor))
        tensors.push_back(tensor);
    between.push_back(part.getResult());
    auto product = part.product;
    places.push_back(product.getLoc());
  }
  Value result = between.pop_back_val();
  auto unpack = parts.back().unpack;
  KernelSource source{
      FusedLoc::get(result.getContext(), places),
      tensors,
      /*indices=*/{},
      result,
      getSizes(result.getDefiningOp(), unpack.getDest()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        // An op may be of several parts, so that each has a mapping of its own.
        // The number of images is the only dynamic size.
        IRMapping shared(map);
        for (const PackedContraction &part : parts) {
          IRMapping own(shared);
          cloneProduct(builder, part, own, sizes);
          shared.map(part.getResult(), own.lookup(part.getResult()));
        }
        map.map(result, shared.lookup(result));
      }};
  outliner.outline(source);
  for (const PackedContraction &part : llvm::reverse(parts))
    erase(part);
}

//===----------------------------------------------------------------------===//
// Products with sparse weights
//===----------------------------------------------------------------------===//

static void clonePack(OpBuilder &builder, linalg::PackOp pack, IRMapping &map) {
  if (Value padding = pack.getPaddingValue())
    builder.clone(*padding.getDefiningOp(), map);
  builder.clone(*pack, map);
}

static void cloneProduct(OpBuilder &builder,
                         const SparseContraction &contraction, IRMapping &map,
                         ValueRange sizes) {
  auto weights = contraction.weights;
  auto pack = contraction.pack;
  auto fill = contraction.fill;
  auto product = contraction.product;
  builder.clone(*weights, map);
  // A pack that stays is of single rows, as many as the result has.
  if (pack) {
    mapEmpty(builder, pack.getDest(), sizes, map);
    clonePack(builder, pack, map);
  }
  // The images, the result's rows, or the tiles of them.
  SmallVector<Value> first;
  if (cast<RankedTensorType>(fill.output().getType()).isDynamicDim(0))
    first.push_back(tensor::DimOp::create(
        builder, product.getLoc(), map.lookup(product.getDpsInputs()[0]), 0));
  mapEmpty(builder, fill.output(), first, map);
  cloneSums(builder, contraction, map, sizes);
}

static void outline(Outliner &outliner, const SparseContraction &contraction) {
  auto unpack = contraction.unpack;
  auto product = contraction.product;
  auto weights = contraction.weights;
  auto pack = contraction.pack;
  auto epilogue = contraction.epilogue;
  auto fill = contraction.fill;
  Value result = contraction.getResult();
  SmallVector<Value> tensors{contraction.getInput(), contraction.getPositions(),
                             contraction.getCoordinates(),
                             contraction.getValues()};
  addOthers(epilogue, contraction.getSums(), tensors);
  KernelSource source{
      product->getLoc(),
      tensors,
      /*indices=*/{},
      result,
      getSizes(result.getDefiningOp(),
               unpack ? unpack.getDest() : fill.output()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        cloneProduct(builder, contraction, map, sizes);
      }};
  outliner.outline(source);
  for (Operation *op :
       {epilogue.getOperation(), unpack.getOperation(), product.getOperation()})
    if (op)
      op->erase();
  for (Operation *op : {weights.getOperation(), pack.getOperation()})
    if (op && op->use_empty())
      op->erase();
}

/// Tiles of rows, which several products may read.
static void outline(Outliner &outliner, linalg::PackOp pack) {
  KernelSource source{
      pack.getLoc(),
      {pack.getSource()},
      /*indices=*/{},
      pack.getResult(),
      getSizes(pack, pack.getDest()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        mapEmpty(builder, pack.getDest(), sizes, map);
        clonePack(builder, pack, map);
      }};
  outliner.outline(source);
  pack.erase();
}

/// Planes of images, which several convolutions may read.
static void outline(Outliner &outliner, const ImagePlanes &planes) {
  auto pad = planes.pad;
  auto copy = planes.copy;
  auto collapse = planes.collapse;
  auto insert = planes.insert;
  KernelSource source{
      copy.getLoc(),
      {planes.getSource()},
      /*indices=*/{},
      insert.getResult(),
      getSizes(insert, insert.getDest()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        clonePadding(builder, pad, map);
        mapEmpty(builder, copy.getDpsInits()[0], sizes, map);
        builder.clone(*copy, map);
        builder.clone(*collapse, map);
        mapEmpty(builder, insert.getDest(), sizes, map);
        // The number of images is the only dynamic size.
        for (Value size : insert.getSizes())
          map.map(size, sizes.front());
        builder.clone(*insert, map);
      }};
  outliner.outline(source);
  for (Operation *op : {insert.getOperation(), collapse.getOperation(),
                        copy.getOperation(), pad.getOperation()})
    if (op && op->use_empty())
      op->erase();
}

//===----------------------------------------------------------------------===//
// Transforms
//===----------------------------------------------------------------------===//

static void outline(Outliner &outliner, const WinogradInput &input) {
  auto transform = input.transform;
  auto pad = input.pad;
  KernelSource source{
      transform.getLoc(),
      {input.getSource()},
      /*indices=*/{},
      transform.getResult(),
      getSizes(transform, transform.getOutput()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        clonePadding(builder, pad, map);
        mapEmpty(builder, transform.getOutput(), sizes, map);
        builder.clone(*transform, map);
      }};
  outliner.outline(source);
  transform.erase();
  if (pad && pad->use_empty())
    pad.erase();
}

static void outline(Outliner &outliner, const WinogradOutput &output) {
  auto transform = output.transform;
  auto slice = output.slice;
  auto epilogue = output.epilogue;
  SmallVector<Value> tensors{transform.getValue()};
  addOthers(epilogue, output.getOutputs(), tensors);
  KernelSource source{
      transform.getLoc(),
      tensors,
      /*indices=*/{},
      output.getResult(),
      getSizes(output.getResult().getDefiningOp(), transform.getOutput()),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        mapEmpty(builder, transform.getOutput(), sizes, map);
        builder.clone(*transform, map);
        if (slice) {
          for (auto [from, to] : llvm::zip(slice.getSizes(), sizes))
            map.map(from, to);
          builder.clone(*slice, map);
        }
        cloneEpilogue(builder, epilogue, map, sizes);
      }};
  outliner.outline(source);
  if (epilogue)
    epilogue.erase();
  if (slice)
    slice.erase();
  transform.erase();
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

static void cloneRows(OpBuilder &builder, const RowKernel &kernel,
                      IRMapping &map, ValueRange sizes) {
  // The shape of a row value is that of the rows, and ones.
  auto getSizes = [&](Value value) {
    return sizes.take_front(
        cast<RankedTensorType>(value.getType()).getNumDynamicDims());
  };
  auto mapDestination = [&](Value destination) {
    if (!map.contains(destination))
      mapEmpty(builder, destination, getSizes(destination), map);
  };
  for (Operation *op : kernel.getOps()) {
    if (const auto *found = kernel.getReductions().find(op);
        found != kernel.getReductions().end()) {
      auto fill = found->second.fill;
      if (!map.contains(fill.result())) {
        mapDestination(fill.output());
        cloneConstants(builder, fill, map);
        builder.clone(*fill, map);
      }
    } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      mapDestination(generic.getDpsInits()[0]);
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      for (auto [from, to] :
           llvm::zip(expand.getOutputShape(), getSizes(expand.getResult())))
        map.map(from, to);
    }
    cloneConstants(builder, op, map);
    builder.clone(*op, map);
  }
}

static void outline(Outliner &outliner, const RowKernel &kernel) {
  auto root = kernel.getRoot();
  KernelSource source{
      root.getLoc(),
      kernel.getTensors(),
      kernel.getIndices(),
      root.getResult(0),
      getSizes(root, root.getDpsInits()[0]),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        cloneRows(builder, kernel, map, sizes);
      }};
  outliner.outline(source);
  for (Operation *op : llvm::reverse(kernel.getOps()))
    op->erase();
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

static void outline(Outliner &outliner, const ColumnReduction &reduction) {
  auto op = reduction.op;
  auto fill = reduction.fill;
  auto epilogue = reduction.epilogue;
  Value result = reduction.getResult();
  KernelSource source{
      op.getLoc(),
      reduction.getTensors(),
      /*indices=*/{},
      result,
      getSizes(result.getDefiningOp(),
               result.getDefiningOp<linalg::GenericOp>().getDpsInits()[0]),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        mapEmpty(builder, fill.output(), sizes, map);
        cloneConstants(builder, fill, map);
        builder.clone(*fill, map);
        cloneConstants(builder, op, map);
        builder.clone(*op, map);
        cloneEpilogue(builder, epilogue, map, sizes);
      }};
  outliner.outline(source);
  if (epilogue)
    epilogue->erase();
  op->erase();
}

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

static void outline(Outliner &outliner, const ChannelShuffle &shuffle) {
  auto transpose = shuffle.transpose;
  auto collapse = shuffle.collapse;
  Value start = transpose.getDpsInits()[0];
  KernelSource source{
      transpose.getLoc(),
      {shuffle.getSource()},
      /*indices=*/{},
      collapse.getResult(),
      getSizes(transpose, start),
      [&](OpBuilder &builder, IRMapping &map, ValueRange sizes) {
        mapEmpty(builder, start, sizes, map);
        builder.clone(*transpose, map);
        builder.clone(*collapse, map);
      }};
  outliner.outline(source);
  collapse.erase();
  transpose.erase();
}

namespace {

struct OutlineKernels : omb::impl::OutlineKernelsBase<OutlineKernels> {
  using OutlineKernelsBase::OutlineKernelsBase;

  void runOnOperation() override {
    Outliner outliner(getOperation());
    outlineLanes(outliner);
    outlineAll<ImagePlanes, tensor::InsertSliceOp>(outliner);
    outlineAll<SparseContraction, linalg::GenericOp>(outliner);
    outlineAll<SparseContraction, linalg::UnPackOp>(outliner);
    outlineStreamed(outliner);
    outlineAll<PackedContraction, linalg::UnPackOp>(outliner);
    outlineAll<WinogradInput, linalg::WinogradInputTransformOp>(outliner);
    outlineAll<WinogradOutput, linalg::WinogradOutputTransformOp>(outliner);
    outlineRows(outliner);
    outlineColumns(outliner);
    outlineAll<ChannelShuffle, tensor::CollapseShapeOp>(outliner);
    if (explain)
      remarkReductions();
  }

private:
  /// Says of each reduction that can't be part of a kernel why it can't.
  void remarkReductions() {
    getOperation().walk([&](linalg::LinalgOp op) {
      if (op.getNumReductionLoops() == 0 || isInKernel(op))
        return;
      auto remark = [&](const Twine &why) { op->emitRemark() << why; };
      auto generic = dyn_cast<linalg::GenericOp>(*op);
      if (generic && keepsLast(generic))
        (void)ColumnReduction::match(generic, remark);
      else
        (void)RowReduction::match(op, remark);
    });
  }

  /// The kernels that an `Op` each is part of.
  template <typename Kernel, typename Op> void outlineAll(Outliner &outliner) {
    SmallVector<Op> ops;
    getOperation().walk([&](Op op) {
      if (!isInKernel(op))
        ops.push_back(op);
    });
    for (Op op : ops) {
      FailureOr<Kernel> kernel = Kernel::match(op);
      if (succeeded(kernel))
        outline(outliner, *kernel);
    }
  }

  /// Convolutions that read each other's results row by row.
  void outlineStreamed(Outliner &outliner) {
    SmallVector<linalg::UnPackOp> ops;
    getOperation().walk([&](linalg::UnPackOp op) {
      if (!isInKernel(op))
        ops.push_back(op);
    });
    SmallPtrSet<Operation *, 16> erased;
    for (linalg::UnPackOp op : ops) {
      if (erased.contains(op))
        continue;
      FailureOr<StreamedContraction> match = StreamedContraction::match(op);
      if (failed(match))
        continue;
      StreamedContraction all = match->last && !match->paysByRows(threads)
                                    ? match->dropLast()
                                    : *match;
      for (const PackedContraction &part : all.getParts()) {
        auto unpack = part.unpack;
        erased.insert(unpack);
      }
      outline(outliner, all);
    }
  }

  /// What packs rows for products with sparse weights.
  void outlineLanes(Outliner &outliner) {
    SmallVector<linalg::PackOp> packs;
    getOperation().walk([&](linalg::PackOp op) {
      if (!isInKernel(op) && packsLanes(op))
        packs.push_back(op);
    });
    for (linalg::PackOp op : packs)
      outline(outliner, op);
  }

  /// Reductions that keep the last dimension.
  void outlineColumns(Outliner &outliner) {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.getNumReductionLoops() > 0 && !isInKernel(op))
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops) {
      FailureOr<ColumnReduction> reduction =
          ColumnReduction::match(op, [](const Twine &) {});
      if (succeeded(reduction))
        outline(outliner, *reduction);
    }
  }

  /// The last ops first, since each takes what is before it.
  void outlineRows(Outliner &outliner) {
    SmallVector<linalg::GenericOp> roots;
    getOperation().walk([&](linalg::GenericOp op) {
      if (!isInKernel(op))
        roots.push_back(op);
    });
    SmallPtrSet<Operation *, 16> done;
    for (linalg::GenericOp root : llvm::reverse(roots)) {
      if (done.contains(root))
        continue;
      FailureOr<RowKernel> kernel =
          RowKernel::match(root, [&](const Twine &reason) {
            if (explain)
              root->emitRemark() << reason;
          });
      if (failed(kernel))
        continue;
      done.insert_range(kernel->getOps());
      outline(outliner, *kernel);
    }
  }
};

} // namespace
