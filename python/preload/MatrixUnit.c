// Preloaded into programs that run code for a matrix unit (Intel's AMX): its
// registers are there for processes that asked Linux for them, and what asked
// before an exec doesn't count. See runtime/matrix_unit.py.

#include <sys/syscall.h>
#include <unistd.h>

__attribute__((constructor)) static void requestMatrixUnit(void) {
  enum { reqXCompPerm = 0x1023, tileData = 18 };
  syscall(SYS_arch_prctl, reqXCompPerm, tileData);
}
