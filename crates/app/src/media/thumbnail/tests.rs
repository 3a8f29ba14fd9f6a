//! What is made of images that are whole, turned, clear, broken or far too large.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use image::{GenericImageView as _, Rgb, RgbImage, RgbaImage};

use super::*;

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Vec::new();
    image.write_to(&mut Cursor::new(&mut out), format).unwrap();
    out
}

/// An image whose left half is red and whose right half is blue.
fn two_halves(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) }).into()
}

/// A JPEG that was taken with the camera turned: its Exif says so (orientation 6: turn it right to see it upright).
fn turned_jpeg(image: &DynamicImage) -> Vec<u8> {
    let plain = encoded(image, ImageFormat::Jpeg);
    let tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut segment = b"Exif\0\0".to_vec();
    segment.extend_from_slice(tiff);
    let length = u16::try_from(segment.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], b"\xff\xe1", &length, &segment, &plain[2..]].concat()
}

async fn thumbnail(content_type: &str, content: Vec<u8>) -> Option<Thumbnail> {
    of(content_type, ready(Ok(content.into()))).await.unwrap()
}

async fn made(content_type: &str, content: Vec<u8>) -> Option<(DynamicImage, Thumbnail)> {
    let thumbnail = thumbnail(content_type, content).await?;
    let format = ImageFormat::from_extension(thumbnail.extension).unwrap();
    Some((image::load_from_memory_with_format(&thumbnail.content, format).unwrap(), thumbnail))
}

#[tokio::test]
async fn a_thumbnail_is_small_and_keeps_the_proportions() {
    for (kind, format) in [
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/png", ImageFormat::Png),
        ("image/gif", ImageFormat::Gif),
        ("image/webp", ImageFormat::WebP),
    ] {
        let (small, thumbnail) = made(kind, encoded(&two_halves(1600, 400), format)).await.unwrap();
        assert_eq!((small.dimensions(), thumbnail.width, thumbnail.height), ((640, 160), 1600, 400), "{kind}");
    }
    let (small, thumbnail) = made("image/png", encoded(&two_halves(20, 10), ImageFormat::Png)).await.unwrap();
    assert_eq!((small.dimensions(), thumbnail.extension), ((20, 10), "jpg"), "a small image stays as it is");
}

#[tokio::test]
async fn a_turned_photo_is_shown_upright() {
    let (small, thumbnail) = made("image/jpeg", turned_jpeg(&two_halves(800, 400))).await.unwrap();
    assert_eq!((thumbnail.width, thumbnail.height, small.dimensions()), (400, 800, (320, 640)));
    let [top, bottom] = [small.get_pixel(160, 40), small.get_pixel(160, 600)];
    assert!(top[0] > 200 && top[2] < 60 && bottom[2] > 200 && bottom[0] < 60, "the left side is the top: {top:?} {bottom:?}");
}

#[tokio::test]
async fn what_can_be_seen_through_stays_so() {
    let clear: DynamicImage = RgbaImage::from_pixel(30, 30, image::Rgba([0, 200, 0, 0])).into();
    let (small, thumbnail) = made("image/png", encoded(&clear, ImageFormat::Png)).await.unwrap();
    assert_eq!((thumbnail.extension, small.get_pixel(5, 5)[3]), ("png", 0));
}

#[tokio::test]
async fn images_that_cannot_be_decoded_or_would_take_too_much_have_none() {
    let whole = encoded(&two_halves(300, 300), ImageFormat::Png);
    for cut in [0, 8, 20, whole.len() / 2] {
        assert!(thumbnail("image/png", whole[..cut].to_vec()).await.is_none(), "{cut}");
    }
    // A few bytes that claim gigabytes of pixels, and a small file that really has them.
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;".to_vec();
    assert!(thumbnail("image/gif", gif).await.is_none());
    let wide = encoded(&RgbImage::new(16_000, 8_000).into(), ImageFormat::Png);
    assert!(wide.len() < 4 << 20, "{}", wide.len());
    assert!(thumbnail("image/png", wide).await.is_none());
    assert!(thumbnail("image/jpeg", encoded(&two_halves(9, 9), ImageFormat::Png)).await.is_none(), "another type than it is");
    assert!(!is_wanted("image/svg+xml", 10) && !is_wanted("image/png", FILE + 1) && is_wanted("image/png", FILE));
}

#[tokio::test]
async fn an_image_is_loaded_when_its_turn_has_come() {
    let (loaded, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let uploads = (0..20).map(|_| {
        let (loaded, most) = (loaded.clone(), most.clone());
        let load = async move {
            most.fetch_max(loaded.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            loaded.fetch_sub(1, Ordering::SeqCst);
            Err(Error::internal("it cannot be read"))
        };
        of("image/png", load)
    });
    assert_eq!(join_all(uploads).await.into_iter().filter(Result::is_err).count(), 20);
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}
