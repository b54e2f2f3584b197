/* survey_test.c - whole imports from memory: formats by content, faults by file and line, real
 * data. */
#include "base/test.h"
#include "flow/dataset/survey.c"
#include "flow/dataset/testing.h"

static void check_fault(const struct testing_import *t, enum fault_code code, size_t i,
                        const char *file, int line)
{
    const struct fault *f = testing_fault(t, code, i);
    if (!f)
        test_fail(__FILE__, __LINE__, "no fault %s number %zu", fault_code_name(code), i);
    CHECK_STR(f->file, file);
    CHECK_EQ(f->line, line);
    CHECK(f->message.n > 0 && f->action.n > 0);
}

static const struct picture *named(const struct testing_import *t, const char *name)
{
    for (size_t i = 0; i < t->as.n; i++)
        if (str_is(t->as.order[i]->name, name))
            return t->as.order[i];
    test_fail(__FILE__, __LINE__, "no picture '%s' in the version", name);
}

static void finish(struct testing_zip *z, struct testing_import *t)
{
    struct buf b;
    testing_zip_close(z, &b);
    testing_import(t, buf_view(&b), NULL, NULL);
    buf_done(&b);
}

TEST(folder_with_splits_takes_classes_from_directories)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_add(z, "pets/README.md", STR("hello"));
    testing_zip_image(z, "pets/train/dog/1.png", 8, 8, 1);
    testing_zip_image(z, "pets/train/cat/sub/1.png", 8, 8, 2);
    testing_zip_image(z, "pets/valid/cat/2.png", 8, 8, 3);
    testing_zip_image(z, "pets/valid/3.png", 8, 8, 4);
    testing_zip_image(z, "pets/other/cat/4.png", 8, 8, 5);
    testing_zip_dir(z, "pets/train/bird");
    testing_zip_add(z, "__MACOSX/pets/train/._1.png", STR("junk"));
    testing_zip_add(z, "pets/train/dog/5.gif", STR("GIF89a...."));
    testing_zip_add(z, "pets/train/dog/6.png", STR("not a picture"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_FOLDER);
    CHECK_EQ(t.as.n, 3);
    CHECK_EQ(t.harvest.classes.n, 2);
    CHECK_STR(t.harvest.classes.p[0], "cat");
    CHECK_STR(t.harvest.classes.p[1], "dog");
    CHECK_EQ(named(&t, "train/cat/sub/1.png")->label, 0);
    CHECK_EQ(named(&t, "valid/cat/2.png")->split, SPLIT_VAL);
    check_fault(&t, FAULT_CODE_MISSING_ANNOTATION, 0, "pets/valid/3.png", 0);
    check_fault(&t, FAULT_CODE_STRAY_FILE, 0, "pets/other/cat/4.png", 0);
    check_fault(&t, FAULT_CODE_EMPTY_CLASS, 0, "pets/train/bird", 0);
    check_fault(&t, FAULT_CODE_UNSUPPORTED_FORMAT, 0, "pets/train/dog/5.gif", 0);
    check_fault(&t, FAULT_CODE_UNSUPPORTED_FORMAT, 1, "pets/train/dog/6.png", 0);
    testing_import_done(&t);
}

TEST(stray_text_does_not_make_a_folder_something_else)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");
    char deep[220] = "{\"images\":";

    memset(deep + 10, '[', 100);
    testing_zip_image(z, "cat/1.png", 8, 8, 1);
    testing_zip_image(z, "dog/2.png", 8, 8, 2);
    testing_zip_add(z, "stats.txt", STR("0 1 2 3 4\n"));
    testing_zip_add(z, "settings.yaml", STR("names: [x, y]\n"));
    testing_zip_add(z, "deep.json", str_of(deep + 9));
    testing_zip_add(z, "other.xml", STR("<feed></feed>"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_FOLDER);
    CHECK_EQ(t.as.n, 2);
    check_fault(&t, FAULT_CODE_BAD_FILE, 0, "deep.json", 0);
    testing_import_done(&t);
}

TEST(pictures_without_labels_wait_for_them_and_other_files_are_refused)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("tar.gz");

    testing_zip_image(z, "flat/1.png", 8, 8, 1);
    testing_zip_image(z, "flat/2.png", 8, 8, 2);
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_PICTURES);
    CHECK_EQ(t.as.n, 2);
    CHECK_EQ(t.as.header.classes_n, 0);
    CHECK_EQ(t.as.header.splits[SPLIT_NONE], 2);
    CHECK(t.as.order[0]->label == -1);
    check_fault(&t, FAULT_CODE_UNLABELLED, 0, "", 0);
    testing_import_done(&t);
    z = testing_zip_new("zip");
    testing_zip_add(z, "readme.txt", STR("nothing"));
    finish(z, &t);
    CHECK_EQ(t.rc, RC_CORRUPT);
    CHECK(str_find(str_of(t.err.text), STR("no JPEG")) >= 0);
    testing_import_done(&t);
}

TEST(same_content_gives_the_same_version_whatever_order_and_container)
{
    struct testing_import a, b;
    struct testing_zip *z = testing_zip_new("zip");

    for (unsigned i = 0; i < 20; i++) {
        char path[32];
        snprintf(path, sizeof path, "%s/%u.png", i % 2 ? "cat" : "dog", i);
        testing_zip_image(z, path, 8, 8, i + 1);
    }
    finish(z, &a);
    z = testing_zip_new("tar.zst");
    for (unsigned i = 20; i-- > 0;) {
        char path[32];
        snprintf(path, sizeof path, "top/%s/%u.png", i % 2 ? "cat" : "dog", i);
        testing_zip_image(z, path, 8, 8, i + 1);
    }
    finish(z, &b);
    CHECK_OK(a.rc, &a.err);
    CHECK_OK(b.rc, &b.err);
    CHECK_STR(buf_view(&a.manifest), b.manifest.p);
    CHECK_STR(str_of(a.as.version), b.as.version);
    CHECK_EQ(a.as.header.splits[SPLIT_TRAIN], 16);
    CHECK_EQ(a.as.header.splits[SPLIT_VAL], 4);
    testing_import_done(&a);
    testing_import_done(&b);
}

TEST(yolo_reads_boxes_and_polygons_and_reports_lines)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("tar.xz");

    testing_zip_add(z, "set/data.yaml",
                    STR("# a set\ntrain: ../train/images\nval: ../valid/images\nnc: 2\n"
                        "names: ['red', \"blue\"]\n"));
    testing_zip_image(z, "set/train/images/a.png", 100, 50, 1);
    testing_zip_add(
        z, "set/train/labels/a.txt",
        STR("0 0.5 0.5 0.2 0.4\n\n1 0.1 0.1 0.5 0.1 0.5 0.9\nx 1 2 3 4\n7 0.5 0.5 0.1 0.1\n"
            "0 0.5 0.5 0 0.1\n1 0.95 0.5 0.2 0.2\n0 1 2\n"));
    testing_zip_image(z, "set/train/images/none.png", 10, 10, 2);
    testing_zip_image(z, "set/valid/images/b.png", 10, 10, 3);
    testing_zip_add(z, "set/valid/labels/b.txt", STR(""));
    testing_zip_add(z, "set/valid/labels/gone.txt", STR("0 0.5 0.5 0.1 0.1\n"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_YOLO);
    CHECK_EQ(t.harvest.task, TASK_SEGMENTATION);
    CHECK_EQ(t.as.n, 3);
    CHECK_EQ(t.as.header.splits[SPLIT_VAL], 1);
    const struct picture *pic = named(&t, "train/images/a.png");
    CHECK_EQ(pic->marks->xy[0], 40); /* 0.5 * 100 - 0.2 * 100 / 2 */
    CHECK_EQ(pic->marks->xy[1], 15);
    CHECK_EQ(pic->marks->xy[2], 20);
    CHECK_EQ(pic->marks->next->kind, MARK_POLYGON);
    CHECK_EQ(pic->marks->next->xy[5], 45);
    const char *file = "set/train/labels/a.txt";
    check_fault(&t, FAULT_CODE_BAD_LINE, 0, file, 4);
    check_fault(&t, FAULT_CODE_CLASS_OUT_OF_RANGE, 0, file, 5);
    check_fault(&t, FAULT_CODE_ZERO_AREA_BOX, 0, file, 6);
    check_fault(&t, FAULT_CODE_BOX_OUTSIDE_IMAGE, 0, file, 7);
    check_fault(&t, FAULT_CODE_BAD_LINE, 1, file, 8);
    check_fault(&t, FAULT_CODE_MISSING_ANNOTATION, 0, "set/train/images/none.png", 0);
    check_fault(&t, FAULT_CODE_MISSING_IMAGE, 0, "set/valid/labels/gone.txt", 0);
    testing_import_done(&t);
}

TEST(yolo_without_names_says_so)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_image(z, "images/train/a.png", 10, 10, 1);
    testing_zip_add(z, "labels/train/a.txt", STR("2 0.5 0.5 0.5 0.5\r\n"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.classes.n, 3);
    CHECK_STR(t.harvest.classes.p[2], "2");
    CHECK(testing_fault(&t, FAULT_CODE_MISSING_NAMES, 0));
    CHECK(named(&t, "images/train/a.png")->marks);
    testing_import_done(&t);
}

static const char coco[] =
    "{\"info\":{\"x\":[1,{\"y\":2}]},\n"
    "\"annotations\":[\n"
    "{\"id\":1,\"image_id\":7,\"category_id\":3,\"bbox\":[1,2,3,4],"
    "\"segmentation\":[[1,1,5,1,5,5]]},\n"
    "{\"id\":2,\"image_id\":7,\"category_id\":9,\"bbox\":[1,2,3,4]},\n"
    "{\"id\":3,\"image_id\":8,\"category_id\":3,\"bbox\":[1,2,3,4]},\n"
    "{\"id\":4,\"image_id\":7,\"category_id\":5,\"bbox\":[0,0,9,9],\"iscrowd\":1,"
    "\"segmentation\":{\"counts\":[1,2],\"size\":[3,4]}},\n"
    "{\"id\":5,\"image_id\":7,\"category_id\":5,\"segmentation\":[[1,1]]}],\n"
    "\"images\":[{\"id\":7,\"file_name\":\"a.png\",\"width\":20,\"height\":21},\n"
    "{\"id\":9,\"file_name\":\"gone.png\"}],\n"
    "\"categories\":[{\"id\":5,\"name\":\"zebra\"},{\"id\":3,\"name\":\"ant\"}]}\n";

TEST(coco_joins_lists_in_any_order)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_add(z, "annotations/instances_val2017.json", str_of(coco));
    testing_zip_add(z, "annotations/captions_val2017.json",
                    STR("{\"images\":[],\"annotations\":[]}"));
    testing_zip_image(z, "val2017/a.png", 20, 20, 1);
    testing_zip_image(z, "val2017/unlisted.png", 20, 20, 2);
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_COCO);
    CHECK_EQ(t.harvest.task, TASK_SEGMENTATION);
    CHECK_EQ(t.as.n, 1);
    CHECK_STR(t.harvest.classes.p[0], "ant");
    const struct picture *pic = named(&t, "val2017/a.png");
    CHECK_EQ(pic->split, SPLIT_VAL);
    CHECK_EQ(pic->marks->cls, 0);
    CHECK_EQ(pic->marks->next->kind, MARK_POLYGON);
    CHECK_EQ(pic->marks->next->next->cls, 1);
    const char *file = "annotations/instances_val2017.json";
    check_fault(&t, FAULT_CODE_CLASS_OUT_OF_RANGE, 0, file, 4);
    check_fault(&t, FAULT_CODE_MISSING_IMAGE, 0, file, 9);
    check_fault(&t, FAULT_CODE_MISSING_IMAGE, 1, file, 5);
    check_fault(&t, FAULT_CODE_UNSUPPORTED_SHAPE, 0, file, 6);
    check_fault(&t, FAULT_CODE_BAD_LINE, 0, file, 7);
    check_fault(&t, FAULT_CODE_MISSING_ANNOTATION, 0, "val2017/unlisted.png", 0);
    check_fault(&t, FAULT_CODE_SIZE_MISMATCH, 0, file, 0);
    testing_import_done(&t);
}

TEST(broken_coco_fails_with_file_and_line)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_add(z, "a/instances.json", STR("{\"images\":[],\n\"categories\":[}\n"));
    testing_zip_image(z, "a/1.png", 20, 20, 1);
    finish(z, &t);
    CHECK_EQ(t.rc, RC_CORRUPT);
    CHECK(str_find(str_of(t.err.text), STR("a/instances.json")) >= 0);
    CHECK(str_find(str_of(t.err.text), STR("line 2")) >= 0);
    testing_import_done(&t);
}

TEST(voc_reads_objects_sets_and_faults)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_add(
        z, "v/Annotations/a.xml",
        STR("<annotation>\n<filename>a.png</filename>\n<size><width>20</width>"
            "<height>20</height></size>\n<object><name>ant</name>\n<bndbox><xmin>1</xmin>"
            "<ymin>2</ymin><xmax>11</xmax><ymax>22.5</ymax></bndbox>\n</object>\n"
            "<object><name>bee</name>\n<bndbox><xmin>4</xmin><ymin>4</ymin><xmax>4</xmax>"
            "<ymax>9</ymax></bndbox></object>\n<object><name>fly</name></object>\n"
            "<object><pose/><bndbox><xmin>q</xmin></bndbox></object></annotation>\n"));
    testing_zip_add(z, "v/Annotations/b.xml", STR("<annotation>\n<object><name>ant</name>"));
    testing_zip_add(z, "v/Annotations/gone.xml", STR("<annotation></annotation>"));
    testing_zip_image(z, "v/JPEGImages/a.png", 20, 20, 1);
    testing_zip_image(z, "v/JPEGImages/b.png", 20, 20, 2);
    testing_zip_image(z, "v/JPEGImages/c.png", 20, 20, 3);
    testing_zip_add(z, "v/ImageSets/Main/train.txt", STR("a\n"));
    testing_zip_add(z, "v/ImageSets/Main/val.txt", STR("b\na\nzzz\n"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_VOC);
    CHECK_EQ(t.as.n, 2);
    const struct picture *pic = named(&t, "JPEGImages/a.png");
    CHECK_EQ(pic->split, SPLIT_TRAIN);
    CHECK_EQ(named(&t, "JPEGImages/b.png")->split, SPLIT_VAL);
    CHECK_EQ(pic->marks->xy[3], 18); /* 2..22.5 clipped at 20 */
    CHECK(!pic->marks->next);
    check_fault(&t, FAULT_CODE_BOX_OUTSIDE_IMAGE, 0, "v/Annotations/a.xml", 5);
    check_fault(&t, FAULT_CODE_ZERO_AREA_BOX, 0, "v/Annotations/a.xml", 8);
    check_fault(&t, FAULT_CODE_BAD_LINE, 0, "v/Annotations/a.xml", 9);
    check_fault(&t, FAULT_CODE_BAD_LINE, 1, "v/Annotations/a.xml", 10);
    check_fault(&t, FAULT_CODE_BAD_FILE, 0, "v/Annotations/b.xml", 2);
    check_fault(&t, FAULT_CODE_MISSING_IMAGE, 0, "v/Annotations/gone.xml", 0);
    check_fault(&t, FAULT_CODE_MISSING_ANNOTATION, 0, "v/JPEGImages/c.png", 0);
    check_fault(&t, FAULT_CODE_SPLIT_CONFLICT, 0, "v/ImageSets/Main/val.txt", 2);
    testing_import_done(&t);
}

TEST(a_label_finds_its_picture_across_folders_but_never_guesses)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_image(z, "train/img/1.png", 20, 20, 1);
    testing_zip_image(z, "val/img/2.png", 20, 20, 2);
    testing_zip_image(z, "a/3.png", 20, 20, 3);
    testing_zip_image(z, "b/3.png", 20, 20, 4);
    testing_zip_image(z, "masks/1.png", 20, 20, 5);
    testing_zip_add(z, "gt/1.txt", STR("1,1,9,1,9,9,1,9,one\n"));
    testing_zip_add(z, "gt/2.txt", STR("1,1,9,1,9,9,1,9,two\n"));
    testing_zip_add(z, "gt/3.txt", STR("1,1,9,1,9,9,1,9,which\n"));
    testing_zip_add(z, "b/3.txt", STR("1,1,9,1,9,9,1,9,this\n"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_STR(named(&t, "train/img/1.png")->marks->text, "one");
    CHECK_EQ(named(&t, "val/img/2.png")->split, SPLIT_VAL);
    CHECK_STR(named(&t, "b/3.png")->marks->text, "this");
    CHECK_EQ(t.as.n, 3);
    check_fault(&t, FAULT_CODE_MISSING_IMAGE, 0, "gt/3.txt", 0);
    testing_import_done(&t);
}

TEST(icdar_keeps_commas_of_the_text)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_image(z, "img/img_1.png", 50, 50, 1);
    testing_zip_add(z, "gt/gt_img_1.txt",
                    STR("\xef\xbb\xbf"
                        "1,2,30,2,30,9,1,9,TOTAL, RM 1,000.00\r\n1,2,3\n5,5,9,5,9,9,5,9,\n"
                        "5,5,5,5,5,5,5,5,dot\n1,2,30,2,30,9,1,9,\xff\n"));
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_ICDAR);
    CHECK_EQ(t.harvest.task, TASK_TEXT);
    const struct picture *pic = named(&t, "img/img_1.png");
    CHECK_STR(pic->marks->text, "TOTAL, RM 1,000.00");
    CHECK_STR(pic->marks->next->text, "");
    check_fault(&t, FAULT_CODE_BAD_LINE, 0, "gt/gt_img_1.txt", 2);
    check_fault(&t, FAULT_CODE_BAD_LINE, 1, "gt/gt_img_1.txt", 5);
    check_fault(&t, FAULT_CODE_ZERO_AREA_BOX, 0, "gt/gt_img_1.txt", 4);
    testing_import_done(&t);
}

TEST(duplicates_are_told_by_label_and_split)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("zip");

    testing_zip_image(z, "train/cat/1.png", 8, 8, 1);
    testing_zip_image(z, "train/cat/2.png", 8, 8, 1);
    testing_zip_image(z, "train/dog/3.png", 8, 8, 1);
    testing_zip_image(z, "val/cat/4.png", 8, 8, 1);
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.as.n, 4);
    CHECK_EQ(t.as.duplicates, 3);
    CHECK(str_find(testing_fault(&t, FAULT_CODE_DUPLICATE_IMAGE, 0)->message, STR("same labels")) >
          0);
    CHECK(str_find(testing_fault(&t, FAULT_CODE_DUPLICATE_IMAGE, 1)->message, STR("different")) >
          0);
    CHECK(str_find(testing_fault(&t, FAULT_CODE_DUPLICATE_IMAGE, 2)->message, STR("leaks")) > 0);
    testing_import_done(&t);
}

TEST(names_that_are_not_utf8_are_repaired_and_doubled_paths_dropped)
{
    struct testing_import t;
    struct testing_zip *z = testing_zip_new("tar");

    testing_zip_image(z, "a/\xb0\xa1.png", 8, 8, 1);
    testing_zip_image(z, "b/\xed\x95\x9c.png", 8, 8, 2);
    testing_zip_image(z, "b/\xed\x95\x9c.png", 8, 8, 3);
    finish(z, &t);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.as.n, 2);
    named(&t, "a/%B0%A1.png");
    named(&t, "b/\xed\x95\x9c.png");
    CHECK(testing_fault(&t, FAULT_CODE_BAD_UTF8_NAME, 0));
    CHECK(testing_fault(&t, FAULT_CODE_DUPLICATE_NAME, 0));
    testing_import_done(&t);
}

/* One archive with a bit of everything that a format reads. */
static void pack_format(enum dataset_format f, struct buf *ret)
{
    struct testing_zip *z = testing_zip_new(f == FORMAT_FOLDER ? "zip" : "tar");

    testing_zip_image(z, "a/images/train/1.png", 8, 8, 1);
    testing_zip_image(z, "b/images/val/2.png", 300, 8, 2);
    if (f == FORMAT_YOLO) {
        testing_zip_add(z, "data.yaml", STR("train: images/train\nnames: [a, b]\n"));
        testing_zip_add(z, "a/labels/train/1.txt", STR("0 .5 .5 .2 .2\n1 0 0 1 0 1 1\nbad\n"));
    } else if (f == FORMAT_COCO) {
        testing_zip_add(
            z, "x.json",
            STR("{\"images\":[{\"id\":1,\"file_name\":\"1.png\"}],\"categories\":[{\"id\":1,"
                "\"name\":\"c\"}],\"annotations\":[{\"image_id\":1,\"category_id\":1,"
                "\"bbox\":[1,1,2,2],\"segmentation\":[[1,1,2,1,2,2]]}]}"));
    } else if (f == FORMAT_VOC) {
        testing_zip_add(z, "v/1.xml",
                        STR("<annotation><object><name>n</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
                            "<xmax>3</xmax><ymax>3</ymax></bndbox></object></annotation>"));
        testing_zip_add(z, "ImageSets/Main/train.txt", STR("1\nx\n"));
    } else if (f == FORMAT_ICDAR) {
        testing_zip_add(z, "a/images/train/1.txt", STR("1,1,5,1,5,5,1,5,hi\nbad\n"));
    }
    testing_zip_close(z, ret);
}

TEST(every_allocation_may_fail)
{
    for (int f = 0; f < FORMAT_COUNT; f++) {
        struct buf b;
        pack_format((enum dataset_format)f, &b);
        size_t before = mem_live_bytes();
        bool fired = true;
        for (long n = 0; fired; n++) {
            struct testing_import t;
            mem_fail_at(n);
            testing_import(&t, buf_view(&b), NULL, NULL);
            fired = mem_fail_disarm();
            if (!fired)
                CHECK_OK(t.rc, &t.err);
            else if (t.rc && t.rc != RC_NOMEM && t.rc != RC_TOO_LARGE)
                test_fail(__FILE__, __LINE__, "format %d, allocation %ld: %s: %s", f, n,
                          rc_name(t.rc), t.err.text);
            testing_import_done(&t);
            CHECK_EQ(mem_live_bytes(), before);
        }
        buf_done(&b);
    }
}

TEST(real_cifar_folder)
{
    struct testing_import t;
    struct buf zip;

    if (!testing_shared_data("cifar10-small.zip", &zip))
        return;
    testing_import(&t, buf_view(&zip), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_FOLDER);
    CHECK_EQ(t.as.n, 6000);
    CHECK_EQ(t.harvest.classes.n, 10);
    CHECK_EQ(t.as.header.splits[SPLIT_TRAIN], 5000);
    CHECK_EQ(t.as.header.splits[SPLIT_VAL], 1000);
    CHECK_EQ(t.harvest.faults.total, 0);
    testing_import_done(&t);
    buf_done(&zip);
}

TEST(real_blood_cells_have_two_boxes_without_area)
{
    struct testing_import t;
    struct buf zip;

    if (!testing_shared_data("bccd-voc.zip", &zip))
        return;
    testing_import(&t, buf_view(&zip), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_VOC);
    CHECK_EQ(t.as.n, 292);
    CHECK_EQ(t.as.header.splits[SPLIT_TRAIN], 205);
    CHECK_EQ(t.as.header.splits[SPLIT_VAL], 87);
    CHECK_EQ(t.harvest.classes.n, 3);
    CHECK_EQ(t.harvest.faults.counts[FAULT_CODE_ZERO_AREA_BOX], 2);
    const struct fault *f = testing_fault(&t, FAULT_CODE_ZERO_AREA_BOX, 0);
    CHECK(str_ends(f->file, STR(".xml")) && f->line > 1);
    CHECK_STR(f->action, "dropped");
    testing_import_done(&t);
    buf_done(&zip);
}

TEST(real_receipts_are_quadrangles)
{
    struct testing_import t;
    struct buf zip;

    if (!testing_shared_data("receipts.zip", &zip))
        return;
    testing_import(&t, buf_view(&zip), NULL, NULL);
    CHECK_OK(t.rc, &t.err);
    CHECK_EQ(t.harvest.format, FORMAT_ICDAR);
    CHECK_EQ(t.as.n, 40);
    CHECK_EQ(t.as.header.splits[SPLIT_VAL], 8);
    CHECK_EQ(t.puts, 80); /* each with a preview */
    testing_import_done(&t);
    buf_done(&zip);
}
