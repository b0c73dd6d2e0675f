//===- RandomStream.cpp - Counter-based random numbers --------------------===//

#include "lowering/to_linalg/RandomStream.h"

#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Transcendentals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"

#include <cmath>

using namespace mlir;
using namespace omb;

/// How many streams the session has begun without a seed: an i64 that IREE
/// keeps from one run to the next.
static constexpr StringLiteral kCounterName = "omb.random_streams";

RandomStream RandomStream::seeded(OpBuilder &builder, Location loc,
                                  uint64_t seed) {
  Value key = arith::ConstantOp::create(
      builder, loc,
      builder.getIntegerAttr(builder.getI64Type(), APInt(64, seed)));
  return RandomStream(key, /*isSeeded=*/true);
}

static void addCounter(OpBuilder &builder, ModuleOp module) {
  if (SymbolTable::lookupSymbolIn(module, kCounterName))
    return;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  OperationState global(module.getLoc(), "util.global");
  global.addAttribute("sym_name", builder.getStringAttr(kCounterName));
  global.addAttribute("sym_visibility", builder.getStringAttr("private"));
  global.addAttribute("type", TypeAttr::get(builder.getI64Type()));
  global.addAttribute("is_mutable", builder.getUnitAttr());
  global.addAttribute("initial_value", builder.getI64IntegerAttr(0));
  builder.create(global);
}

RandomStream RandomStream::fresh(OpBuilder &builder, Operation *op) {
  addCounter(builder, op->getParentOfType<ModuleOp>());
  Location loc = op->getLoc();
  auto symbol = FlatSymbolRefAttr::get(builder.getContext(), kCounterName);
  OperationState load(loc, "util.global.load");
  load.addAttribute("global", symbol);
  load.addTypes(builder.getI64Type());
  Value count = builder.create(load)->getResult(0);
  Value one =
      arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(1));
  OperationState store(loc, "util.global.store");
  store.addAttribute("global", symbol);
  store.addOperands(
      arith::AddIOp::create(builder, loc, count, one).getResult());
  builder.create(store);
  return RandomStream(count, /*isSeeded=*/false);
}

static Value createWord(Scalars &s, uint32_t value) {
  return arith::ConstantOp::create(
      s, s.getIntegerAttr(s.getI32Type(), APInt(32, value)));
}

/// The low and the high word of an i64.
static std::pair<Value, Value> splitWords(Scalars &s, Value number) {
  Value width = arith::ConstantOp::create(s, s.getI64IntegerAttr(32));
  Value high = arith::ShRUIOp::create(s, number, width);
  return {arith::TruncIOp::create(s, s.getI32Type(), number),
          arith::TruncIOp::create(s, s.getI32Type(), high)};
}

static Value joinWords(Scalars &s, Value low, Value high) {
  Value width = arith::ConstantOp::create(s, s.getI64IntegerAttr(32));
  Value upper = arith::ShLIOp::create(
      s, arith::ExtUIOp::create(s, s.getI64Type(), high), width);
  return arith::OrIOp::create(s, upper,
                              arith::ExtUIOp::create(s, s.getI64Type(), low));
}

std::array<Value, 4> RandomStream::words(Scalars &s, Value position) const {
  auto [k0, k1] = splitWords(s, key);
  auto [c0, c1] = splitWords(s, position);
  Value c2 = createWord(s, 0);
  // The last word of the counter keeps both kinds of streams apart.
  Value c3 = createWord(s, isSeeded ? 0 : 1);
  Value m0 = createWord(s, 0xD2511F53);
  Value m1 = createWord(s, 0xCD9E8D57);
  Value w0 = createWord(s, 0x9E3779B9);
  Value w1 = createWord(s, 0xBB67AE85);
  auto exclusiveOr = [&](Value a, Value b) -> Value {
    return arith::XOrIOp::create(s, a, b);
  };
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    if (round > 0) {
      k0 = arith::AddIOp::create(s, k0, w0);
      k1 = arith::AddIOp::create(s, k1, w1);
    }
    auto [low0, high0] = s.mulExtended(m0, c0);
    auto [low1, high1] = s.mulExtended(m1, c2);
    c0 = exclusiveOr(exclusiveOr(high1, c1), k0);
    c2 = exclusiveOr(exclusiveOr(high0, c3), k1);
    c1 = low1;
    c3 = low0;
  }
  return {c0, c1, c2, c3};
}

Value RandomStream::uniform(Scalars &s, Value position, FloatType type) const {
  std::array<Value, 4> random = words(s, position);
  unsigned precision = std::min(type.getFPMantissaWidth(), 53u);
  bool isDouble = precision > 24;
  Value bits = isDouble ? joinWords(s, random[0], random[1]) : random[0];
  FloatType result = isDouble ? FloatType(s.getF64Type()) : s.getF32Type();
  unsigned width = isDouble ? 64 : 32;
  Value shift = arith::ConstantOp::create(
      s, s.getIntegerAttr(bits.getType(), width - precision));
  Value number = arith::SIToFPOp::create(
      s, result, arith::ShRUIOp::create(s, bits, shift));
  return s.mul(number, std::ldexp(1.0, -int(precision)));
}

/// A random float in (0, 1], finer towards 0 than uniform().
static Value toPositive(Scalars &s, Value bits, FloatType type) {
  unsigned width = bits.getType().getIntOrFloatBitWidth();
  Value number = arith::UIToFPOp::create(s, type, bits);
  return s.mul(s.add(number, 0.5), std::ldexp(1.0, -int(width)));
}

/// The method of Box and Muller, of which one of two numbers is taken.
Value RandomStream::normal(Scalars &s, Value position, FloatType type) const {
  auto [r0, r1, r2, r3] = words(s, position);
  bool isDouble = type.isF64();
  Value radiusBits = isDouble ? joinWords(s, r0, r1) : r0;
  Value angleBits = isDouble ? joinWords(s, r2, r3) : r1;
  Value fraction = toPositive(s, radiusBits, type);
  Value radius = buildSqrt(s, s.mul(buildLog(s, fraction), -2.0));
  // A signed number of turns, half of one at most: small angles are exact.
  Value turns = s.mul(arith::SIToFPOp::create(s, type, angleBits).getResult(),
                      std::ldexp(1.0, isDouble ? -64 : -32));
  return s.mul(radius, buildCos(s, s.mul(turns, 2 * M_PI)));
}

Value omb::getElementNumber(Scalars &s, ValueRange indices, ValueRange sizes) {
  IndexArithmetic index(s, s.getLoc());
  Value number = index.constant(0);
  for (auto [at, size] : llvm::zip_equal(indices, sizes))
    number = index.add(index.mul(number, size), at);
  return arith::IndexCastOp::create(s, s.getI64Type(), number);
}
