// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a region: what user space may ask, and what it must not.
 */
#include <linux/fadvise.h>
#include <linux/fs.h>		/* falloc.h counts on it */
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/uaccess.h>

#include "../internal.h"
#include "internal.h"

#define MSHARE_MAP_FLAGS (MAP_SHARED | MAP_FIXED | MAP_ANONYMOUS |	\
			  MAP_NORESERVE | MAP_HUGETLB |			\
			  (MAP_HUGE_MASK << MAP_HUGE_SHIFT))

/* Is [offset, offset + size) a range of whole pages inside the region? */
static int mshare_check_range(struct mshare_region *region, u64 offset,
			      u64 size)
{
	u64 end;

	if (!size || !PAGE_ALIGNED(offset | size) ||
	    check_add_overflow(offset, size, &end))
		return -EINVAL;
	/* Also if the size is not set yet, and so 0. */
	return end > READ_ONCE(region->size) ? -EINVAL : 0;
}

static int mshare_check_create(const struct mshare_create *mc)
{
	const u32 required = MAP_SHARED | MAP_FIXED;

	if ((mc->flags & required) != required ||
	    (mc->flags & ~MSHARE_MAP_FLAGS) || (mc->flags & MAP_PRIVATE))
		return -EINVAL;
	if (mc->prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
		return -EINVAL;
	if (!PAGE_ALIGNED(mc->offset))
		return -EINVAL;
	/* A size makes sense with MAP_HUGETLB, and that with MAP_ANONYMOUS. */
	if ((mc->flags & (MAP_HUGE_MASK << MAP_HUGE_SHIFT)) &&
	    !(mc->flags & MAP_HUGETLB))
		return -EINVAL;
	if ((mc->flags & MAP_HUGETLB) && !(mc->flags & MAP_ANONYMOUS))
		return -EINVAL;
	if ((mc->flags & MAP_ANONYMOUS) && (int)mc->fd != -1)
		return -EINVAL;
	return 0;
}

/* The file behind shared anonymous memory is made here, as mmap() does. */
static struct file *mshare_anon_file(const struct mshare_create *mc,
				     vm_flags_t vm_flags)
{
	int log = (mc->flags >> MAP_HUGE_SHIFT) & MAP_HUGE_MASK;
	struct hstate *h;

	if (!(mc->flags & MAP_HUGETLB))
		return shmem_file_setup("dev/zero", mc->size, vm_flags);

	h = hstate_sizelog(log);
	if (!h || !IS_ALIGNED(mc->size | mc->region_offset, huge_page_size(h)))
		return ERR_PTR(-EINVAL);
	/* The mapping reserves the pages, unless MAP_NORESERVE. */
	return hugetlb_file_setup(HUGETLB_ANON_FILE, mc->size, VM_NORESERVE,
				  HUGETLB_ANONHUGE_INODE, log);
}

static struct file *mshare_create_file(const struct mshare_create *mc,
				       vm_flags_t vm_flags)
{
	struct file *file;

	if (mc->flags & MAP_ANONYMOUS)
		return mshare_anon_file(mc, vm_flags);
	file = fget(mc->fd);
	return file ?: ERR_PTR(-EBADF);
}

/*
 * Where memory is accounted strictly, mmap() takes MAP_NORESERVE for nothing,
 * but for huge pages, which are accounted by themselves.
 */
static vm_flags_t mshare_noreserve(const struct mshare_create *mc, bool huge)
{
	if (!(mc->flags & MAP_NORESERVE))
		return 0;
	return huge || sysctl_overcommit_memory != OVERCOMMIT_NEVER ?
	       VM_NORESERVE : 0;
}

static long mshare_create_mapping(struct mshare_region *region,
				  const struct mshare_create __user *arg)
{
	struct mshare_mapping map = {};
	struct mshare_create mc;
	int err;

	if (copy_from_user(&mc, arg, sizeof(mc)))
		return -EFAULT;
	err = mshare_check_create(&mc);
	if (!err)
		err = mshare_check_range(region, mc.region_offset, mc.size);
	if (err)
		return err;

	map.offset = mc.region_offset;
	map.size = mc.size;
	map.prot = mc.prot;
	map.vm_flags = mshare_noreserve(&mc, mc.flags & MAP_HUGETLB);
	/* Shared anonymous memory has no offset: mmap() ignores it, too. */
	map.pgoff = mc.flags & MAP_ANONYMOUS ? 0 : mc.offset >> PAGE_SHIFT;
	map.file = mshare_create_file(&mc, map.vm_flags);
	if (IS_ERR(map.file))
		return PTR_ERR(map.file);
	map.vm_flags = mshare_noreserve(&mc, is_file_hugepages(map.file));
	err = mshare_region_map(region, &map);
	fput(map.file);
	return err;
}

static long mshare_unmap(struct mshare_region *region,
			 const struct mshare_unmap __user *arg)
{
	struct mshare_unmap mu;
	int err;

	if (copy_from_user(&mu, arg, sizeof(mu)))
		return -EFAULT;
	err = mshare_check_range(region, mu.region_offset, mu.size);
	if (err)
		return err;
	return mshare_region_unmap(region, mu.region_offset, mu.size);
}

static long mshare_protect(struct mshare_region *region,
			   const struct mshare_protect __user *arg)
{
	struct mshare_protect mp;
	int err;

	if (copy_from_user(&mp, arg, sizeof(mp)))
		return -EFAULT;
	err = mshare_check_range(region, mp.region_offset, mp.size);
	if (err)
		return err;
	if (mp.reserved || (mp.prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)))
		return -EINVAL;
	return mshare_region_protect(region, mp.region_offset, mp.size,
				     mp.prot);
}

static long mshare_advise(struct mshare_region *region,
			  const struct mshare_advise __user *arg)
{
	struct mshare_advise ma;
	int err;

	if (copy_from_user(&ma, arg, sizeof(ma)))
		return -EFAULT;
	err = mshare_check_range(region, ma.region_offset, ma.size);
	if (err)
		return err;
	if (ma.reserved)
		return -EINVAL;
	return mshare_region_advise(region, ma.region_offset, ma.size,
				    ma.advice);
}

static long mshare_lock(struct mshare_region *region,
			const struct mshare_lock __user *arg)
{
	struct mshare_lock ml;
	int err;

	if (copy_from_user(&ml, arg, sizeof(ml)))
		return -EFAULT;
	err = mshare_check_range(region, ml.region_offset, ml.size);
	if (err)
		return err;
	if (ml.reserved || ml.on > 1)
		return -EINVAL;
	return mshare_region_lock(region, ml.region_offset, ml.size, ml.on);
}

static long mshare_populate(struct mshare_region *region,
			    const struct mshare_populate __user *arg)
{
	struct mshare_populate mp;
	int err;

	if (copy_from_user(&mp, arg, sizeof(mp)))
		return -EFAULT;
	err = mshare_check_range(region, mp.region_offset, mp.size);
	if (err)
		return err;
	return mshare_region_populate(region, mp.region_offset, mp.size);
}

/* Extensible: each side may know more fields than the other. */
static long mshare_stat(struct mshare_region *region,
			struct mshare_stat __user *arg)
{
	struct mshare_stat st = {};
	u32 size;

	if (get_user(size, &arg->size))
		return -EFAULT;
	if (size < offsetofend(struct mshare_stat, flags))
		return -EINVAL;
	size = min_t(u32, size, sizeof(st));
	mshare_region_stat(region, &st);
	st.size = size;
	return copy_to_user(arg, &st, size) ? -EFAULT : 0;
}

/* An object's region shows this object, to all who have it mapped. */
static bool mshare_is_arrangement(unsigned int cmd)
{
	return cmd == MSHAREFS_CREATE_MAPPING || cmd == MSHAREFS_UNMAP ||
	       cmd == MSHAREFS_PROTECT;
}

static long mshare_change(struct mshare_region *region, unsigned int cmd,
			  void __user *argp)
{
	if (mshare_is_arrangement(cmd) &&
	    (region->stat_flags & MSHARE_STAT_OBJECT))
		return -EPERM;
	switch (cmd) {
	case MSHAREFS_CREATE_MAPPING:
		return mshare_create_mapping(region, argp);
	case MSHAREFS_UNMAP:
		return mshare_unmap(region, argp);
	case MSHAREFS_PROTECT:
		return mshare_protect(region, argp);
	case MSHAREFS_ADVISE:
		return mshare_advise(region, argp);
	case MSHAREFS_LOCK:
		return mshare_lock(region, argp);
	case MSHAREFS_POPULATE:
		return mshare_populate(region, argp);
	default:
		return -ENOTTY;
	}
}

long mshare_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct mshare_region *region = mshare_region(file_inode(file));
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case MSHAREFS_STAT:
		return mshare_stat(region, argp);
	case MSHAREFS_CREATE_MAPPING:
	case MSHAREFS_UNMAP:
	case MSHAREFS_PROTECT:
	case MSHAREFS_ADVISE:
	case MSHAREFS_LOCK:
	case MSHAREFS_POPULATE:
		/* All guests notice: only for those who may write. */
		if (!(file->f_mode & FMODE_WRITE))
			return -EBADF;
		return mshare_change(region, cmd, argp);
	default:
		return -ENOTTY;
	}
}

static int mshare_willneed(struct file *file, loff_t offset, loff_t len,
			   int unused)
{
	return vfs_fadvise(file, offset, len, POSIX_FADV_WILLNEED);
}

static int mshare_remove(struct file *file, loff_t offset, loff_t len,
			 int unused)
{
	return vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     offset, len);
}

/**
 * mshare_advise_objects() - madvise() that is about objects, not page tables
 * @vma: window; its mmap_lock is held for reading, dropped and taken again
 * @start: in the window
 * @end: in the window
 * @behavior: MADV_WILLNEED or MADV_REMOVE
 */
int mshare_advise_objects(struct vm_area_struct *vma, unsigned long start,
			  unsigned long end, int behavior)
{
	mshare_object_fn fn = behavior == MADV_REMOVE ? mshare_remove :
							mshare_willneed;
	struct mm_struct *mm = vma->vm_mm;
	struct file *file;
	int err;

	if (behavior == MADV_REMOVE && !vma_is_shared_maywrite(vma))
		return -EACCES;
	file = get_file(vma->vm_file);
	start -= vma->vm_start;
	end -= vma->vm_start;
	mmap_read_unlock(mm);
	err = mshare_walk_objects(mshare_region(file_inode(file)), start, end,
				  fn, 0);
	fput(file);
	mmap_read_lock(mm);
	return err;
}
