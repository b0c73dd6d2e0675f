//===- ShareKernels.cpp - omb-share-kernels -------------------------------===//

#include "lowering/Passes.h"
#include "lowering/vector/Attention.h"
#include "lowering/vector/Elementwise.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/Rounding.h"
#include "lowering/vector/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/CSE.h"

using namespace mlir;
using namespace omb::kernels;
using linalg::GenericOp;

namespace omb {
#define GEN_PASS_DEF_SHAREKERNELS
#include "lowering/Passes.h.inc"
} // namespace omb

static void ignore(const Twine &) {}

//===----------------------------------------------------------------------===//
// The constants of a kernel
//===----------------------------------------------------------------------===//

static GenericOp getRoot(func::FuncOp kernel) {
  Value result = kernel.front().getTerminator()->getOperand(0);
  return result.getDefiningOp<GenericOp>();
}

/// The ops of a kernel whose bodies may read elements of any tensor: the
/// epilogue, and those on elements of rows.
static SmallVector<GenericOp> getElementwise(func::FuncOp kernel) {
  GenericOp root = getRoot(kernel);
  if (!root)
    return {};
  if (!kernel.getOps<linalg::UnPackOp>().empty() ||
      !kernel.getOps<linalg::WinogradOutputTransformOp>().empty())
    return {root};
  for (auto product : kernel.getOps<linalg::LinalgOp>())
    if (succeeded(Attention::match(product, ignore)))
      return {};
  SmallVector<GenericOp> found;
  FailureOr<RowKernel> rows = RowKernel::match(root, ignore);
  if (failed(rows))
    return {};
  for (Operation *op : rows->getOps())
    if (auto generic = dyn_cast<GenericOp>(op);
        generic && !rows->getReductions().contains(op))
      found.push_back(generic);
  return found;
}

/// Makes what rounding needs of its constants constants of their own.
static void expandRounding(GenericOp generic) {
  OpBuilder builder(generic);
  for (Operation &op : llvm::make_early_inc_range(*generic.getBody())) {
    Value simpler = getRoundTrip(op);
    if (FloatAttr divisor = simpler ? FloatAttr() : getRoundedDivisor(op)) {
      builder.setInsertionPoint(&op);
      simpler =
          divideForRounding(builder, op.getLoc(), op.getOperand(0), divisor);
    }
    if (!simpler)
      continue;
    op.getResult(0).replaceAllUsesWith(simpler);
    op.erase();
  }
}

/// Gives each use of a constant one of its own: in front of what uses it in the
/// bodies of `ops`, and of the whole op elsewhere.
static void splitConstants(func::FuncOp kernel, ArrayRef<GenericOp> ops) {
  auto getPlace = [&](Operation *user) {
    Operation *whole = kernel.front().findAncestorOpInBlock(*user);
    return llvm::is_contained(ops, whole) ? user : whole;
  };
  SmallVector<arith::ConstantOp> constants;
  kernel.walk([&](arith::ConstantOp op) { constants.push_back(op); });
  for (arith::ConstantOp constant : constants) {
    for (OpOperand &use : llvm::make_early_inc_range(constant->getUses()))
      use.set(
          OpBuilder(getPlace(use.getOwner())).clone(*constant)->getResult(0));
    constant.erase();
  }
}

namespace {

/// A copy of a kernel without the constants in its elementwise ops: all zeros
/// in their places.
struct Form {
  func::FuncOp kernel;
  OwningOpRef<func::FuncOp> function;
  SmallVector<arith::ConstantOp> places;
  SmallVector<TypedAttr> values;

  /// Null of a kernel without such constants.
  static std::unique_ptr<Form> get(func::FuncOp kernel) {
    auto form = std::make_unique<Form>();
    form->kernel = kernel;
    form->function = cast<func::FuncOp>(kernel->clone());
    SmallVector<GenericOp> ops = getElementwise(*form->function);
    llvm::for_each(ops, expandRounding);
    splitConstants(*form->function, ops);
    for (GenericOp op : ops)
      op.getBody()->walk([&](arith::ConstantOp constant) {
        if (isVectorElement(constant.getType()))
          form->take(constant);
      });
    return form->places.empty() ? nullptr : std::move(form);
  }

  bool isLike(Form &other) {
    return function->getFunctionType() == other.function->getFunctionType() &&
           OperationEquivalence::isRegionEquivalentTo(
               &function->getBody(), &other.function->getBody(),
               OperationEquivalence::IgnoreLocations);
  }

private:
  void take(arith::ConstantOp constant) {
    places.push_back(constant);
    values.push_back(constant.getValue());
    constant.setValueAttr(OpBuilder(constant).getZeroAttr(constant.getType()));
  }
};

using Forms = SmallVector<std::unique_ptr<Form>>;

//===----------------------------------------------------------------------===//
// Tensors of constants
//===----------------------------------------------------------------------===//

/// What kernels that are alike have in the same places, and how it is passed:
/// as elements of tensors, one for each type.
class PassedConstants {
public:
  explicit PassedConstants(ArrayRef<std::unique_ptr<Form>> forms) {
    for (size_t place = 0; place < forms[0]->places.size(); ++place) {
      Column column = llvm::map_to_vector(
          forms, [&](const auto &form) { return form->values[place]; });
      if (!llvm::all_equal(column))
        add(place, std::move(column));
    }
    for (auto &[type, columns] : tables)
      complete(type, columns);
  }

  bool empty() const { return tables.empty(); }
  size_t size() const { return tables.size(); }

  /// The tensor's number and the element's for a place; none where all kernels
  /// have the same there.
  std::optional<std::pair<unsigned, unsigned>> find(size_t place) const {
    auto found = elements.find(place);
    return found == elements.end() ? std::nullopt
                                   : std::optional(found->second);
  }

  SmallVector<Type> getTypes() const {
    SmallVector<Type> types;
    for (const auto &[type, columns] : tables)
      types.push_back(RankedTensorType::get(columns.size(), type));
    return types;
  }

  /// What is passed in place of the constants of the kernel of this number.
  SmallVector<Value> create(OpBuilder &builder, Location loc,
                            size_t kernel) const {
    SmallVector<Value> tensors;
    for (auto [type, table] : llvm::zip(getTypes(), tables)) {
      SmallVector<Attribute> values;
      for (const Column &column : table.second)
        values.push_back(column[kernel]);
      auto all = DenseElementsAttr::get(cast<RankedTensorType>(type), values);
      tensors.push_back(arith::ConstantOp::create(builder, loc, all));
    }
    return tensors;
  }

private:
  /// The values of a place, of each kernel.
  using Column = SmallVector<TypedAttr>;

  void add(size_t place, Column column) {
    Type type = column.front().getType();
    auto &columns = tables[type];
    auto *known = llvm::find(columns, column);
    auto number = unsigned(std::distance(tables.begin(), tables.find(type)));
    elements[place] = {number, unsigned(known - columns.begin())};
    if (known == columns.end())
      columns.push_back(std::move(column));
  }

  /// IREE would fill tensors whose elements are all the same in each run: those
  /// get another element.
  static void complete(Type type, SmallVector<Column> &columns) {
    Column last;
    bool isFilled = false;
    for (auto [kernel, value] : llvm::enumerate(columns.front())) {
      isFilled |= llvm::all_of(columns, [&](const Column &column) {
        return column[kernel] == value;
      });
      Builder builder(type.getContext());
      TypedAttr zero = builder.getZeroAttr(type);
      last.push_back(value == zero ? TypedAttr(builder.getOneAttr(type))
                                   : zero);
    }
    if (isFilled)
      columns.push_back(std::move(last));
  }

  llvm::MapVector<Type, SmallVector<Column>> tables;
  DenseMap<size_t, std::pair<unsigned, unsigned>> elements;
};

} // namespace

/// What the body of `op` reads as an element of one of `tensors`.
static Value addInput(GenericOp &op, Value tensor, unsigned element) {
  OpBuilder builder(op);
  SmallVector<Value> inputs(op.getInputs());
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap map = AffineMap::get(op.getNumLoops(), 0,
                                 builder.getAffineConstantExpr(element));
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get() == tensor && op.getMatchingIndexingMap(input) == map)
      return op.getMatchingBlockArgument(input);
  unsigned number = inputs.size();
  maps.insert(maps.begin() + number, map);
  inputs.push_back(tensor);
  auto wider =
      GenericOp::create(builder, op.getLoc(), op.getResultTypes(), inputs,
                        op.getOutputs(), maps, op.getIteratorTypesArray());
  wider.getRegion().takeBody(op.getRegion());
  op.replaceAllUsesWith(wider.getResults());
  op.erase();
  op = wider;
  return op.getBody()->insertArgument(
      number, getElementTypeOrSelf(tensor.getType()), op.getLoc());
}

/// Has the function read the constants from tensors, which it takes after the
/// others.
static void readConstants(Form &form, const PassedConstants &passed,
                          unsigned firstArgument) {
  func::FuncOp function = *form.function;
  for (auto [number, type] : llvm::enumerate(passed.getTypes()))
    (void)function.insertArgument(firstArgument + number, type, {},
                                  function.getLoc());
  for (auto [place, constant] : llvm::enumerate(form.places)) {
    auto op = constant->getParentOfType<GenericOp>();
    auto found = passed.find(place);
    if (!found) {
      constant.setValueAttr(form.values[place]);
      constant->moveBefore(op);
      continue;
    }
    Value element = addInput(
        op, function.getArgument(firstArgument + found->first), found->second);
    constant.replaceAllUsesWith(element);
    constant.erase();
  }
  IRRewriter rewriter(function.getContext());
  DominanceInfo dominance(function);
  eliminateCommonSubExpressions(rewriter, dominance, function);
}

static unsigned countTensors(func::FuncOp kernel) {
  return llvm::count_if(kernel.getArgumentTypes(),
                        llvm::IsaPred<RankedTensorType>);
}

/// Calls `shared` with the constants of the kernel of this number.
static void replaceCall(func::CallOp call, func::FuncOp shared,
                        const PassedConstants &passed, size_t number,
                        unsigned firstArgument) {
  OpBuilder builder(call);
  SmallVector<Value> operands(call.getOperands());
  SmallVector<Value> tensors = passed.create(builder, call.getLoc(), number);
  operands.insert(operands.begin() + firstArgument, tensors.begin(),
                  tensors.end());
  auto shorter = func::CallOp::create(builder, call.getLoc(), shared, operands);
  call.replaceAllUsesWith(shorter.getResults());
  call.erase();
}

namespace {

struct ShareKernels : omb::impl::ShareKernelsBase<ShareKernels> {
  void runOnOperation() override {
    SmallVector<Forms> groups;
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      std::unique_ptr<Form> form =
          kernel->hasAttr(kKernelAttrName) ? Form::get(kernel) : nullptr;
      if (!form)
        continue;
      auto *group = llvm::find_if(
          groups, [&](Forms &forms) { return forms.front()->isLike(*form); });
      if (group == groups.end())
        group = &groups.emplace_back();
      group->push_back(std::move(form));
    }
    SymbolTableCollection tables;
    SymbolUserMap users(tables, getOperation());
    for (Forms &forms : groups)
      if (forms.size() > 1)
        share(forms, users);
  }

private:
  void share(Forms &forms, SymbolUserMap &users) {
    PassedConstants passed(forms);
    if (passed.empty())
      return;
    unsigned firstArgument = countTensors(forms.front()->kernel);
    readConstants(*forms.front(), passed, firstArgument);
    func::FuncOp shared = forms.front()->function.release();
    getOperation().insert(forms.front()->kernel, shared);
    for (auto [number, form] : llvm::enumerate(forms)) {
      for (Operation *user : users.getUsers(form->kernel))
        replaceCall(cast<func::CallOp>(user), shared, passed, number,
                    firstArgument);
      form->kernel.erase();
    }
  }
};

} // namespace
