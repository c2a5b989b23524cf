# SPDX-License-Identifier: PostgreSQL
# m4/mshare.m4 - configure checks of our own: compiler flags, sanitizers, PostgreSQL.

# MSHARE_COMPILER_FLAGS: sets MSHARE_CFLAGS (language and warnings) and MSHARE_CPPFLAGS (where
# the kernel ABI header is), which every Makefile.am puts into AM_CFLAGS and AM_CPPFLAGS.
AC_DEFUN([MSHARE_COMPILER_FLAGS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
    [], [enable_werror=no])
  MSHARE_CFLAGS="-std=gnu17 -Wall -Wextra"
  AS_IF([test "$enable_werror" = yes], [MSHARE_CFLAGS="$MSHARE_CFLAGS -Werror"])
  mshare_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $MSHARE_CFLAGS"
  AC_MSG_CHECKING([whether $CC takes $MSHARE_CFLAGS])
  AC_COMPILE_IFELSE([AC_LANG_SOURCE([_Static_assert(sizeof(long) == 8, "LP64"); int one;])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$CC does not compile GNU C17 for a 64-bit machine; try CC=gcc or CC=clang])])
  CFLAGS=$mshare_save_CFLAGS
  AC_SUBST([MSHARE_CFLAGS])
  AC_SUBST([MSHARE_CPPFLAGS],
    ['-D_GNU_SOURCE -I$(top_srcdir)/kernel/linux/include/uapi'])
])

# MSHARE_SANITIZERS: --enable-sanitizers builds everything with ASan and UBSan. The preload library
# then needs the ASan runtime loaded first, which the tests see to (HAVE_SANITIZERS).
AC_DEFUN([MSHARE_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers], [build with AddressSanitizer and UBSan, for tests])],
    [], [enable_sanitizers=no])
  AS_IF([test "$enable_sanitizers" = yes],
    [MSHARE_CFLAGS="$MSHARE_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"])
  AM_CONDITIONAL([HAVE_SANITIZERS], [test "$enable_sanitizers" = yes])
])

# MSHARE_POSTGRESQL: finds pg_config, sets PG_CONFIG and the conditional HAVE_PGXS.
# --with-pg-config=PATH names one, --without-pg-config builds no extension.
AC_DEFUN([MSHARE_POSTGRESQL], [
  AC_ARG_WITH([pg-config],
    [AS_HELP_STRING([--with-pg-config=PATH], [pg_config of the server to build pg_mshare for @<:@from PATH@:>@])],
    [], [with_pg_config=auto])
  AS_CASE([$with_pg_config],
    [no], [PG_CONFIG=],
    [auto|yes], [AC_PATH_PROG([PG_CONFIG], [pg_config])],
    [PG_CONFIG=$with_pg_config
     AS_IF([test -x "$PG_CONFIG"], [],
       [AC_MSG_ERROR([--with-pg-config=$PG_CONFIG is not an executable file; give the path of a pg_config program])])])
  have_pgxs=no
  pg_summary="no (no pg_config)"
  AS_IF([test -n "$PG_CONFIG"],
    [PG_BINDIR=`"$PG_CONFIG" --bindir`
     AS_IF([test -f "`"$PG_CONFIG" --pgxs`"],
       [have_pgxs=yes
        pg_summary="for `"$PG_CONFIG" --version` ($PG_CONFIG)"],
       [pg_summary="no (no PGXS: on Debian, apt install postgresql-server-dev-15)"])])
  AC_SUBST([PG_CONFIG])
  AC_SUBST([PG_BINDIR])
  AM_CONDITIONAL([HAVE_PGXS], [test "$have_pgxs" = yes])
])
