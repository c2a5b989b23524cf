// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen of regions: mshare_regions lists those of a mount, fdinfo
 * tells about one.
 */
#include <linux/dcache.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

/* A new region is listed in its mount as soon as it has a host mm... */
void mshare_list(struct mshare_region *region)
{
	struct mshare_mount *mount = mshare_mount(region->vfs_inode.i_sb);

	mutex_lock(&mount->regions_lock);
	list_add_tail(&region->listed, &mount->regions);
	mutex_unlock(&mount->regions_lock);
}

/* ... and not any more when that is about to go. */
void mshare_unlist(struct mshare_region *region)
{
	struct mshare_mount *mount = mshare_mount(region->vfs_inode.i_sb);

	mutex_lock(&mount->regions_lock);
	list_del_init(&region->listed);
	mutex_unlock(&mount->regions_lock);
}

/* The first region after @entry that is not on its way out: a reference. */
static struct mshare_region *mshare_grab_next(struct mshare_mount *mount,
					      struct list_head *entry)
{
	lockdep_assert_held(&mount->regions_lock);
	for (entry = entry->next; entry != &mount->regions;
	     entry = entry->next) {
		struct mshare_region *region =
			list_entry(entry, struct mshare_region, listed);

		if (igrab(&region->vfs_inode))
			return region;
	}
	return NULL;
}

/*
 * Regions are shown without the lock of the list, but with a reference: to drop
 * the last one takes that lock.
 */
static void *mshare_regions_start(struct seq_file *m, loff_t *pos)
{
	struct mshare_mount *mount = m->private;
	struct list_head *entry = &mount->regions;
	struct mshare_region *region = NULL;
	loff_t skip = *pos - 1;

	if (!*pos)
		return SEQ_START_TOKEN;
	mutex_lock(&mount->regions_lock);
	while (skip && entry->next != &mount->regions) {
		entry = entry->next;
		skip--;
	}
	if (!skip)
		region = mshare_grab_next(mount, entry);
	mutex_unlock(&mount->regions_lock);
	return region;
}

static void *mshare_regions_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct mshare_mount *mount = m->private;
	struct mshare_region *region = v == SEQ_START_TOKEN ? NULL : v;
	struct mshare_region *next;

	mutex_lock(&mount->regions_lock);
	next = mshare_grab_next(mount, region ? &region->listed :
						&mount->regions);
	mutex_unlock(&mount->regions_lock);
	if (region)
		iput(&region->vfs_inode);
	++*pos;
	return next;
}

static void mshare_regions_stop(struct seq_file *m, void *v)
{
	struct mshare_region *region = v;

	if (v && v != SEQ_START_TOKEN)
		iput(&region->vfs_inode);
}

static void mshare_show_flags(struct seq_file *m, unsigned int flags)
{
	seq_putc(m, ' ');
	if (flags & MSHARE_STAT_OBJECT)
		seq_putc(m, 'o');
	if (flags & MSHARE_STAT_DEAD)
		seq_putc(m, 'd');
	if (flags & MSHARE_STAT_READONLY)
		seq_putc(m, 'r');
	if (flags & MSHARE_STAT_HUGEPAGE)
		seq_putc(m, 'h');
	if (!flags)
		seq_putc(m, '-');
	seq_putc(m, ' ');
}

static void mshare_show_name(struct seq_file *m, struct mshare_region *region)
{
	static const char unsafe[] = " \t\n\\";
	struct dentry *dentry;

	if (region->object) {
		seq_puts(m, "object:");
		seq_file_path(m, region->object, unsafe);
		return;
	}
	dentry = d_find_alias(&region->vfs_inode);
	if (!dentry) {
		seq_puts(m, "unlinked");
		return;
	}
	seq_dentry(m, dentry, unsafe);
	dput(dentry);
}

static int mshare_regions_show(struct seq_file *m, void *v)
{
	struct mshare_region *region = v;
	struct mshare_stat st = {};

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "bytes mapped resident page_tables windows links flags name\n");
		return 0;
	}
	mshare_region_stat(region, &st);
	seq_printf(m, "%llu %llu %llu %llu %llu %llu", st.region_bytes,
		   st.mapped_bytes, st.resident_pages << PAGE_SHIFT,
		   st.page_table_bytes, st.windows, st.links);
	mshare_show_flags(m, st.flags);
	mshare_show_name(m, region);
	seq_putc(m, '\n');
	return 0;
}

static const struct seq_operations mshare_regions_seq = {
	.start	= mshare_regions_start,
	.next	= mshare_regions_next,
	.stop	= mshare_regions_stop,
	.show	= mshare_regions_show,
};

static int mshare_regions_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, &mshare_regions_seq);

	if (!err)
		((struct seq_file *)file->private_data)->private =
			mshare_mount(inode->i_sb);
	return err;
}

const struct file_operations mshare_regions_operations = {
	.open		= mshare_regions_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release,
};

/* In /proc/PID/fdinfo of a region. */
void mshare_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct mshare_stat st = { .size = sizeof(st) };

	mshare_region_stat(mshare_region(file_inode(file)), &st);
	seq_printf(m, "mshare-region-bytes:\t%llu\n", st.region_bytes);
	seq_printf(m, "mshare-mapped-bytes:\t%llu\n", st.mapped_bytes);
	seq_printf(m, "mshare-resident-pages:\t%llu\n", st.resident_pages);
	seq_printf(m, "mshare-page-table-bytes:\t%llu\n",
		   st.page_table_bytes);
	seq_printf(m, "mshare-windows:\t%llu\n", st.windows);
	seq_printf(m, "mshare-links:\t%llu\n", st.links);
}
