//! Thumbnails: a small upright image of a larger one. Images come from strangers, so what decoding may cost is bounded, and
//! whatever cannot be decoded simply has no thumbnail.

use std::io::Cursor;

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::error::{LimitError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use parlance_model::{Error, Result};
use tokio::sync::Semaphore;

/// The longer side of a thumbnail, in pixels: two for each that a message bubble shows.
const SIDE: u32 = 640;
/// The largest file that is decoded, in bytes: it is held in memory.
const FILE: i64 = 16 << 20;
/// The longest side of an image that is decoded, in pixels.
const LONGEST: u32 = 16_384;
/// How much memory one decoding may take, in bytes: fifty megapixels and what the decoder needs beside them.
const MEMORY: u64 = 192 << 20;
/// JPEG quality, 1 to 100.
const QUALITY: u8 = 80;
/// Decodings at once in this process.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A thumbnail, and how large the image was.
pub(crate) struct Thumbnail {
    /// The encoded thumbnail.
    pub(crate) content: Vec<u8>,
    /// `jpg` or `png`.
    pub(crate) extension: &'static str,
    /// Pixels across of the whole image, upright.
    pub(crate) width: u32,
    /// Pixels down.
    pub(crate) height: u32,
}

/// The type of a thumbnail with this key.
pub(crate) fn content_type(key: &str) -> &'static str {
    if key.ends_with(".png") { "image/png" } else { "image/jpeg" }
}

/// Whether a file of this type and size has a thumbnail made.
pub(crate) fn is_wanted(content_type: &str, size: i64) -> bool {
    format(content_type).is_some() && size <= FILE
}

/// Makes the thumbnail of an image, off the runtime's threads. The image is loaded when its turn has come, so that no more are in memory
/// than are decoded. `None`: it cannot be decoded, or would take too much.
///
/// # Errors
/// Those of loading.
pub(crate) async fn of(content_type: &str, load: impl Future<Output = Result<Bytes>>) -> Result<Option<Thumbnail>> {
    let Some(format) = format(content_type) else { return Ok(None) };
    let place = PLACES.acquire().await.map_err(Error::internal)?;
    let content = load.await?;
    let decode = move || {
        // Held until the decoder is through, whether or not somebody still waits for it.
        let _place = place;
        make(format, &content)
    };
    // A decoder that panics has met an image that it cannot decode.
    match tokio::task::spawn_blocking(decode).await {
        Ok(Ok(thumbnail)) => Ok(Some(thumbnail)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "an image is kept without a thumbnail");
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(%error, "decoding an image panicked; it is kept without a thumbnail");
            Ok(None)
        }
    }
}

fn format(content_type: &str) -> Option<ImageFormat> {
    match content_type {
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/png" => Some(ImageFormat::Png),
        "image/gif" => Some(ImageFormat::Gif),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

fn make(format: ImageFormat, content: &[u8]) -> ImageResult<Thumbnail> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MEMORY {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)));
    }
    let orientation = decoder.orientation()?;
    let mut whole = DynamicImage::from_decoder(decoder)?;
    let (across, down) = (whole.width(), whole.height());
    // Made small first: turning it then costs nothing.
    if across > SIDE || down > SIDE {
        whole = whole.thumbnail(SIDE, SIDE);
    }
    let lying = whole.width();
    whole.apply_orientation(orientation);
    let (width, height) = if whole.width() == lying { (across, down) } else { (down, across) };
    let (content, extension) = encode(&whole)?;
    Ok(Thumbnail { content, extension, width, height })
}

/// Draws the file on this thread.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(content_type: &str, content: &[u8]) {
    if let Some(Ok(drawn)) = format(content_type).map(|format| make(format, content)) {
        assert!(drawn.width > 0 && drawn.height > 0 && !drawn.content.is_empty());
    }
}

/// JPEG, or PNG for what can be seen through.
fn encode(image: &DynamicImage) -> ImageResult<(Vec<u8>, &'static str)> {
    let mut out = Vec::new();
    if image.color().has_alpha() {
        DynamicImage::ImageRgba8(image.to_rgba8()).write_to(&mut Cursor::new(&mut out), ImageFormat::Png)?;
        return Ok((out, "png"));
    }
    JpegEncoder::new_with_quality(&mut out, QUALITY).encode_image(&DynamicImage::ImageRgb8(image.to_rgb8()))?;
    Ok((out, "jpg"))
}

#[cfg(test)]
mod tests;
