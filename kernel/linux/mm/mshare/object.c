// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSHAREFS_OPEN_OBJECT: the region of an object that the caller has mapped.
 *
 * A database has its shared memory as a SysV segment, a shared anonymous or a
 * file mapping, and wants the page tables of it shared.  It needs no name for
 * that: what identifies the region is the object, here (inode, page offset,
 * length, writable).  Such a region is an inode of this mount that is found by
 * the inode hash and has no directory entry, so that the VFS sees to "found or
 * made" and to "gone with the last user".
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/hash.h>
#include <linux/hugetlb.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/shm.h>
#include <linux/uaccess.h>

#include "../internal.h"
#include "internal.h"

#define MSHARE_OBJECT_FLAGS	(MSHARE_OBJECT_CLOEXEC |	\
				 MSHARE_OBJECT_HUGEPAGE |	\
				 MSHARE_OBJECT_POPULATE)

/* An object, as the caller has it mapped. */
struct mshare_target {
	struct file *file;		/* a reference */
	pgoff_t pgoff;
	unsigned long size;
	unsigned long offset;		/* in the region, for a new one */
	bool placed;			/* the caller wants that offset */
	bool caller_writes;		/* the mapping may become writable */
	bool writable;			/* the region is, for some callers */
	vm_flags_t vm_flags;		/* VM_NORESERVE, VM_HUGEPAGE */
};

static int mshare_check_object(const struct mshare_object *mo)
{
	u64 end;

	if ((mo->flags & ~MSHARE_OBJECT_FLAGS) || mo->reserved)
		return -EINVAL;
	if (!mo->size || !PAGE_ALIGNED(mo->addr | mo->size | mo->view_addr) ||
	    check_add_overflow(mo->addr, mo->size, &end) || end > TASK_SIZE)
		return -EINVAL;
	/* It has to fit together with its offset in a slot. */
	return mo->size > TASK_SIZE_MAX / 2 ? -EINVAL : 0;
}

static int mshare_fill_target(struct vm_area_struct *vma,
			      const struct mshare_object *mo,
			      struct mshare_target *target)
{
	struct file *file, *segment;

	if (!(vma->vm_flags & VM_MAYSHARE) || !vma->vm_file ||
	    mo->size > vma->vm_end - mo->addr)
		return -EINVAL;
	/*
	 * A SysV attach is a mapping of a file of its own, whose VMAs are
	 * counted as shm_nattch.  The region maps the segment's inner file,
	 * and is not counted.  That one can always be written: those who
	 * attach read-only share the page tables of those who do not.
	 */
	segment = shm_object_file(vma->vm_file);
	file = segment ?: vma->vm_file;
	if (mshare_is_region(file))
		return -EINVAL;
	target->pgoff = linear_page_index(vma, mo->addr);
	if (is_file_hugepages(file)) {
		unsigned long size = huge_page_size(hstate_file(file));

		if (!IS_ALIGNED(mo->addr | mo->size | mo->view_addr, size))
			return -EINVAL;
	}
	target->file = get_file(file);
	target->size = mo->size;
	target->caller_writes = vma->vm_flags & VM_MAYWRITE;
	target->writable = segment || target->caller_writes;
	target->vm_flags = vma->vm_flags & VM_NORESERVE;
	return 0;
}

static int mshare_find_target(const struct mshare_object *mo,
			      struct mshare_target *target)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int err = -EINVAL;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, mo->addr);
	if (vma)
		err = mshare_fill_target(vma, mo, target);
	mmap_read_unlock(mm);
	if (err)
		return err;

	if (mo->flags & MSHARE_OBJECT_HUGEPAGE)
		target->vm_flags |= VM_HUGEPAGE;
	target->placed = mo->view_addr;
	/* Any place will do that huge pages of the object can be mapped at. */
	target->offset = mo->view_addr ?
			 mo->view_addr & (P4D_SIZE - 1) :
			 ((u64)target->pgoff << PAGE_SHIFT) & (PUD_SIZE - 1);
	return 0;
}

/* The inode hash: called under its lock. */

static int mshare_key_test(struct inode *inode, void *data)
{
	const struct mshare_key *a = &mshare_region(inode)->key, *b = data;

	return a->inode == b->inode && a->pgoff == b->pgoff &&
	       a->size == b->size && a->writable == b->writable;
}

static int mshare_key_set(struct inode *inode, void *data)
{
	mshare_region(inode)->key = *(struct mshare_key *)data;
	return 0;
}

static unsigned long mshare_key_hash(const struct mshare_key *key)
{
	return hash_ptr(key->inode, BITS_PER_LONG) ^
	       hash_long(key->pgoff ^ key->size, BITS_PER_LONG);
}

/*
 * An open file description of the region's own.  A lock by flock(), or a lease,
 * ends with the last reference to the description that it was taken on.  Were
 * that the region's, those who share the region would keep the lock of somebody
 * who is gone.  Nobody hears of this open: no watch, and no holder of a lease
 * is waited for; and of any size, as the files of segments are, which nobody
 * opened with O_LARGEFILE.  What open() does not get at (secret memory, devices)
 * stays what it is, for mshare_region_map() to refuse.
 */
static struct file *mshare_own_file(struct file *file)
{
	struct inode *inode = file_inode(file);
	int flags = (file->f_flags & (O_ACCMODE | O_NOATIME)) | O_LARGEFILE |
		    O_NONBLOCK | __FMODE_NONOTIFY;

	if (!S_ISREG(inode->i_mode) || file->f_op != inode->i_fop)
		return get_file(file);
	return dentry_open(&file->f_path, flags, file->f_cred);
}

/*
 * Map the object into its new region.  The region keeps the object's file, and
 * with it the inode of the key, for as long as it lives: the host vma may have
 * another file (that under an overlay).
 */
static int mshare_fill_region(struct mshare_region *region,
			      const struct mshare_target *target)
{
	struct mshare_mapping map = {
		.pgoff = target->pgoff,
		.offset = target->offset,
		.size = target->size,
		.prot = PROT_READ,
		.vm_flags = target->vm_flags,
	};
	struct inode *inode = &region->vfs_inode;
	int err;

	inode->i_ino = get_next_ino();
	/*
	 * Root's, and with no rights: by this ioctl alone one gets at it, which
	 * looks at what the caller may do to the object.  Nobody may open it
	 * again for more, through /proc/PID/fd.
	 */
	mshare_init_region_inode(inode, 0);
	clear_nlink(inode);
	map.file = mshare_own_file(target->file);
	if (IS_ERR(map.file))
		return PTR_ERR(map.file);
	region->object = map.file;
	region->stat_flags = MSHARE_STAT_OBJECT;
	region->object_offset = target->offset;
	if (region->key.writable)
		map.prot |= PROT_WRITE;
	else
		region->stat_flags |= MSHARE_STAT_READONLY;
	if (target->vm_flags & VM_HUGEPAGE)
		region->stat_flags |= MSHARE_STAT_HUGEPAGE;

	mshare_set_memcg(region);
	err = mshare_region_init(region);
	if (!err)
		err = mshare_region_set_size(region,
					     ALIGN(map.offset + map.size,
						   P4D_SIZE));
	return err ?: mshare_region_map(region, &map);
}

/* Find or make the region: a reference to its inode. */
static struct inode *mshare_get_object(struct super_block *sb,
				       const struct mshare_target *target)
{
	struct mshare_key key = {
		.inode = file_inode(target->file),
		.pgoff = target->pgoff,
		.size = target->size,
		.writable = target->writable,
	};
	struct inode *inode;
	int err;

	inode = iget5_locked(sb, mshare_key_hash(&key), mshare_key_test,
			     mshare_key_set, &key);
	if (!inode)
		return ERR_PTR(-ENOMEM);
	if (inode->i_state & I_NEW) {
		err = mshare_fill_region(mshare_region(inode), target);
		if (err) {
			iget_failed(inode);
			return ERR_PTR(err);
		}
		unlock_new_inode(inode);
	}
	if (target->placed &&
	    mshare_region(inode)->object_offset != target->offset) {
		iput(inode);
		return ERR_PTR(-EINVAL);
	}
	return inode;
}

static int mshare_install_fd(struct vfsmount *mnt, struct inode *inode,
			     const struct mshare_target *target, u32 flags)
{
	int access = target->caller_writes ? O_RDWR : O_RDONLY;
	struct name_snapshot name;
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(flags & MSHARE_OBJECT_CLOEXEC ? O_CLOEXEC : 0);
	if (fd < 0) {
		iput(inode);
		return fd;
	}
	/*
	 * Under the object's name, /proc/PID/maps reads as it did before.  That
	 * name can be changed, and freed, by rename() at any time.
	 */
	take_dentry_name_snapshot(&name, target->file->f_path.dentry);
	file = alloc_file_pseudo(inode, mnt, name.name.name, access,
				 &mshare_file_operations);
	release_dentry_name_snapshot(&name);
	if (IS_ERR(file)) {
		iput(inode);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	fd_install(fd, file);
	return fd;
}

static int mshare_open_target(struct vfsmount *mnt,
			      const struct mshare_target *target, u32 flags)
{
	struct inode *inode = mshare_get_object(mnt->mnt_sb, target);
	int err = 0;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	if (flags & MSHARE_OBJECT_POPULATE) {
		struct mshare_region *region = mshare_region(inode);

		err = mshare_region_populate(region, region->object_offset,
					     target->size);
	}
	if (err) {
		iput(inode);
		return err;
	}
	return mshare_install_fd(mnt, inode, target, flags);
}

static long mshare_open_object(struct vfsmount *mnt,
			       const struct mshare_object __user *arg)
{
	struct mshare_target target = {};
	struct mshare_object mo;
	int ret;

	if (copy_from_user(&mo, arg, sizeof(mo)))
		return -EFAULT;
	ret = mshare_check_object(&mo);
	if (!ret)
		ret = mshare_find_target(&mo, &target);
	if (ret)
		return ret;
	ret = mshare_open_target(mnt, &target, mo.flags);
	fput(target.file);
	return ret;
}

/* The ioctl of the root directory. */
long mshare_root_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != MSHAREFS_OPEN_OBJECT)
		return -ENOTTY;
	return mshare_open_object(file->f_path.mnt, (void __user *)arg);
}
